package engine

import (
	"context"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// DefaultKeep is how long a run is kept after its end unless told otherwise.
const DefaultKeep = 7 * 24 * time.Hour

const (
	sweepMost = 20              // runs removed at the end of another: more than one, so that they do not pile up
	sweepTime = 5 * time.Second // and no longer than this: somebody waits
)

// Remove removes a run with its journal, logs and values, if the condition holds, and reports whether it did.
// Values on the disk of another machine stay there.
func (s *Session) Remove(ctx context.Context, run journal.RunID, when journal.Condition) (bool, error) {
	condemned, encoded, err := s.Journal.Condemn(ctx, run, when)
	if !condemned || err != nil {
		return false, err
	}
	sp, err := spec.Decode(encoded)
	if err != nil {
		s.Logger.Warn("the pipeline of a run that is removed cannot be read: values outside Redis may stay", "run", run, "error", err)
		sp = nil
	}
	if err := s.Stores.RemoveRun(ctx, sp, run); err != nil {
		return false, err
	}
	return true, s.Journal.Erase(ctx, run)
}

// Sweep removes finished runs whose time is over, except one that somebody still looks at. What it cannot remove now is left to the next.
func (s *Session) Sweep(ctx context.Context, except journal.RunID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()
	runs, err := s.Journal.Due(ctx, sweepMost)
	if err != nil {
		s.Logger.Warn("cannot remove old runs", "error", err)
	}
	for _, run := range runs {
		if run == except {
			continue
		}
		if _, err := s.Remove(ctx, run, journal.WhenDue); err != nil {
			s.Logger.Warn("cannot remove an old run", "run", run, "error", err)
		}
	}
}
