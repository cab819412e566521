package runs

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/logtext"
	"github.com/godags/godags/internal/runstate"
)

// Line is one line that an attempt printed.
type Line struct {
	Stage string
	Text  []byte // without the line feed
}

// Output is what an attempt printed since the last look.
type Output struct {
	AttemptID
	Name  string   // of the stage
	Lines [][]byte // without line feeds
	Ended bool     // the attempt has ended: nothing follows
}

// LogTail reads what attempts print while they run. It is told the entries of the journal, and
// reads the output of those attempts that are running or have just ended. Its methods may be called
// from several goroutines.
type LogTail struct {
	// Only, if not nil, says whose output is wanted.
	Only func(run *runstate.Run, stage dag.StageID) bool
	// OnceEnded leaves the output of an attempt until the attempt has ended.
	OnceEnded bool
	// Past is an entry of the journal: the output of attempts that ended up to it is not wanted.
	Past Position

	logs logReader

	mu       sync.Mutex
	run      ID
	attempts map[AttemptID]*followed

	reading sync.Mutex // held while lines are read, so that they stay in order
}

// logReader is what a tail needs of the journal.
type logReader interface {
	LogsSince(context.Context, ID, []LogPosition) ([]logtext.Text, error)
}

// followed is an attempt whose output is read.
type followed struct {
	id    AttemptID
	name  string
	lines logtext.Lines
	ended bool // what is read next is the last
}

// TailLogs returns a tail that was told nothing yet.
func (s *Service) TailLogs() *LogTail {
	return &LogTail{logs: s, attempts: make(map[AttemptID]*followed)}
}

// Observe tells the tail about an entry that was applied to a run. It reports whether an attempt
// has ended.
func (t *LogTail) Observe(run *runstate.Run, e Entry) (ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.run = run.ID
	for _, r := range e.Records {
		// Other records are about stages that were not executed, or about the run.
		if r.Attempt == 0 || t.Only != nil && !t.Only(run, r.Stage) {
			continue
		}

		id := AttemptID{Stage: r.Stage, Attempt: r.Attempt}
		a := t.attempts[id]
		if a == nil {
			a = &followed{id: id, name: run.Name(r.Stage)}
			t.attempts[id] = a
		}
		a.ended = r.Type != journal.StageStarted
		if a.ended && t.Past != journal.Start && !e.ID.After(t.Past) {
			delete(t.attempts, id)
			continue
		}
		ended = ended || a.ended
	}

	return ended
}

// maxLook is how many logs one call to Redis reads.
const maxLook = 64

// Read yields what is new, and once for each attempt that it has ended.
func (t *LogTail) Read(ctx context.Context, yield func(Output) error) error {
	t.reading.Lock()
	defer t.reading.Unlock()
	run, list := t.due()
	for len(list) > 0 {
		some := list[:min(maxLook, len(list))]
		list = list[len(some):]
		if err := t.read(ctx, run, some, yield); err != nil {
			return err
		}
	}

	return nil
}

// due returns the attempts to look at, those of a stage in their order. What has ended is looked at
// for the last time.
func (t *LogTail) due() (ID, []followed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]followed, 0, len(t.attempts))
	for _, a := range t.attempts {
		if a.ended || !t.OnceEnded {
			list = append(list, *a)
		}
	}

	slices.SortFunc(list, func(a, b followed) int {
		return cmp.Or(cmp.Compare(a.id.Stage, b.id.Stage), cmp.Compare(a.id.Attempt, b.id.Attempt))
	})
	return t.run, list
}

func (t *LogTail) read(ctx context.Context, run ID, list []followed, yield func(Output) error) error {
	positions := make([]LogPosition, len(list))
	for i, a := range list {
		positions[i] = LogPosition{AttemptID: a.id, Offset: a.lines.Read()}
	}

	texts, err := t.logs.LogsSince(ctx, run, positions)
	if err != nil {
		return err
	}

	for i, text := range texts {
		a := list[i]
		lines := a.lines.Next(text, a.ended)
		t.note(a)
		if len(lines) == 0 && !a.ended {
			continue
		}
		if err := yield(Output{a.id, a.name, lines, a.ended}); err != nil {
			return err
		}
	}

	return nil
}

// note remembers how far the output of an attempt was read.
func (t *LogTail) note(a followed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.ended {
		delete(t.attempts, a.id)
		return
	}
	t.attempts[a.id].lines = a.lines
}
