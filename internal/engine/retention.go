package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
)

// DefaultKeep is how long a run is kept after its end unless told otherwise.
const DefaultKeep = 7 * 24 * time.Hour

const (
	// runs removed at the end of another: more than one, so that they do not pile up
	sweepMost = 20
	sweepTime = 5 * time.Second // and no longer than this: somebody waits
)

// Remove removes a run with its journal, logs and values, if the condition holds, and reports
// whether it did. Values on the disk of another machine stay there.
func (s *Session) Remove(ctx context.Context, run journal.RunID, when journal.Condition) (bool, error) {
	id, err := s.Journal.Identity(ctx, run)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return false, err
	}

	condemned, err := s.Journal.MarkDeleted(ctx, run, when)
	if condemned == nil || err != nil {
		return false, err
	}

	sp, err := s.removable(id, condemned.Spec)
	if err != nil {
		s.Logger.Warn("the pipeline of a run that is removed cannot be read: values outside Redis may stay", "run", run, "error", err)
	}

	err = s.Stores.RemoveRun(ctx, s.Journal.GuardRemoval(condemned), sp, run)
	if errors.Is(err, guard.ErrRefused) {
		// we were stopped for so long that another process has begun to remove the run
		return false, nil
	}
	if err != nil {
		return false, err
	}

	return true, s.Journal.Erase(ctx, condemned)
}

// removable returns the pipeline of a run that is removed. It must be one that somebody with our
// key has submitted: it says where values are that are removed with the run.
func (s *Session) removable(id journal.Identity, encoded []byte) (*spec.Spec, error) {
	id.Digest = spec.Digest(encoded)
	if !s.vouched(id) {
		return nil, fmt.Errorf("%w: it was submitted with another key, or changed in Redis", sign.ErrSignature)
	}
	return spec.Decode(encoded)
}

// Sweep removes finished runs whose time is over, except one that somebody still looks at. What it
// cannot remove now is left to the next.
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
