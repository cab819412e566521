package godags

import (
	"context"
	"errors"
	"sync"

	"github.com/godags/godags/tasks"
)

// failures remembers what the functions of this process returned, so that callers can use errors.Is
// and errors.As. The journal keeps only the texts.
type failures struct {
	mu   sync.Mutex
	errs map[attempt]error
}

type attempt struct {
	stage  string // its name, which for an instance contains the index
	number int
}

func newFailures() *failures { return &failures{errs: make(map[attempt]error)} }

// watch wraps the handlers of one run.
func (f *failures) watch(handlers map[string]tasks.Handler) map[string]tasks.Handler {
	watched := make(map[string]tasks.Handler, len(handlers))
	for task, handler := range handlers {
		watched[task] = tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error {
			err := handler.Handle(ctx, s)
			if err != nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.errs[attempt{s.Name, s.Attempt}] = err
			}
			return err
		})
	}

	return watched
}

// explain adds the errors to those of the stages that failed.
func (f *failures) explain(err error) {
	var failed *RunError
	if !errors.As(err, &failed) {
		return
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	for _, stage := range failed.Failed {
		stage.err = f.errs[attempt{stage.Stage, stage.Attempt}]
	}
}
