package engine

import (
	"context"
	"errors"
	"time"

	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/journal"
)

// DefaultKeep is how long a run is kept after it finished, by default.
const DefaultKeep = 7 * 24 * time.Hour

const (
	// Each run that finishes removes several old ones, so that they do not accumulate.
	sweepMost = 20
	// A command waits for the sweep before it exits.
	sweepTime = 5 * time.Second
)

// Remove removes a run with its journal, logs and values, if the condition holds, and reports
// whether it did. Values on the disk of another machine stay there.
func (s *Session) Remove(ctx context.Context, run journal.RunID, when journal.Condition) (bool, error) {
	id, err := s.Journal.Identity(ctx, run)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return false, err
	}

	// From here on the run is gone for all others: claims, reports and decisions are refused. So no
	// value can be stored behind the removal.
	marked, err := s.Journal.MarkDeleted(ctx, run, when)
	if marked == nil || err != nil {
		return false, err
	}

	sp, err := s.specs.removable(id, marked.Spec)
	if err != nil {
		s.Logger.Warn("cannot read the pipeline of a run that is being removed: values outside Redis may remain",
			"run", run, "error", err)
	}

	err = s.Stores.RemoveRun(ctx, s.Journal.GuardRemoval(marked), sp, run)
	if errors.Is(err, guard.ErrRefused) {
		// This process was paused for so long that another one removes the run.
		return false, nil
	}
	if err != nil {
		return false, err
	}

	return true, s.Journal.Erase(ctx, marked)
}

// Sweep removes finished runs that were kept long enough, except the given one, which the caller
// still shows. The next sweep tries again what this one cannot remove.
func (s *Session) Sweep(ctx context.Context, except journal.RunID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()

	runs, err := s.Journal.Due(ctx, sweepMost)
	if err != nil {
		s.Logger.Warn("cannot remove old runs", "error", err)
	}

	for _, run := range runs {
		// Its journal is still needed to print the results.
		if run == except {
			continue
		}
		if _, err := s.Remove(ctx, run, journal.WhenDue); err != nil {
			s.Logger.Warn("cannot remove an old run", "run", run, "error", err)
		}
	}
}
