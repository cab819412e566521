package godags

import (
	"context"
	"errors"
	"sync"

	"github.com/godags/godags/tasks"
)

// failures remembers the errors that handlers of this process returned, so that callers can use
// errors.Is and errors.As. The journal keeps only the texts.
type failures struct {
	mu   sync.Mutex
	errs map[attempt]error
	// The keys of errs in the order in which they came, as a ring. A service runs for months, so
	// the oldest error makes room for the newest.
	order  []attempt
	oldest int
}

const maxFailures = 1000

type attempt struct {
	run    string
	stage  string // its name, which for an instance contains the index
	number int
}

func newFailures() *failures { return &failures{errs: make(map[attempt]error)} }

// watch is a [tasks.Middleware] that remembers errors.
func (f *failures) watch(next tasks.Handler) tasks.Handler {
	return tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error {
		err := next.Handle(ctx, s)
		if err != nil {
			f.add(attempt{s.Run, s.Name, s.Attempt}, err)
		}
		return err
	})
}

func (f *failures) add(a attempt, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()

	f.errs[a] = err
	if len(f.order) < maxFailures {
		f.order = append(f.order, a)
		return
	}

	delete(f.errs, f.order[f.oldest])
	f.order[f.oldest] = a
	f.oldest = (f.oldest + 1) % maxFailures
}

// explain adds the remembered errors to those of the stages that failed.
func (f *failures) explain(err error) {
	var failed *RunError
	if !errors.As(err, &failed) {
		return
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	for _, stage := range failed.Failed {
		stage.err = f.errs[attempt{failed.Run, stage.Stage, stage.Attempt}]
	}
}
