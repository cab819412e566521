package runs

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
)

// Prune removes the finished, stalled, queued and damaged runs that match, with their journals,
// logs and values, and returns them. With dryRun nothing is removed. The limit of the filter is
// ignored. A filter that selects every run is an error.
func (s *Service) Prune(ctx context.Context, f Filter, dryRun bool) (removed []Summary, err error) {
	// More likely a forgotten condition than the wish to lose everything.
	if !f.Selects() {
		return nil, errors.New("prune: the filter selects every run: give it a state, a pipeline or an age")
	}
	return prune(ctx, s.session, f.removable, dryRun)
}

// PruneExpired removes the runs that were kept long enough, with their journals, logs and values,
// and returns them. With dryRun nothing is removed.
func (s *Service) PruneExpired(ctx context.Context, dryRun bool) (removed []Summary, err error) {
	now := time.Now()
	return prune(ctx, s.session, func(r journal.Summary) journal.Condition {
		if r.Expires.IsZero() || !r.Expires.Before(now) {
			return ""
		}
		return journal.WhenDue
	}, dryRun)
}

// prune removes the runs that removable returns a condition for.
func prune(
	ctx context.Context, session *engine.Session, removable func(journal.Summary) journal.Condition, dryRun bool,
) (removed []Summary, err error) {
	// Finds runs whose coordinator died when it had just finished them.
	if _, err := session.Journal.Open(ctx); err != nil {
		return nil, err
	}

	found, err := session.Journal.Runs(ctx, math.MaxInt, func(r journal.Summary) bool { return removable(r) != "" })
	if err != nil {
		return nil, err
	}

	for _, r := range found {
		done := dryRun
		if !dryRun {
			// Redis checks the condition again in the same step: the run may have been resumed.
			if done, err = session.Remove(ctx, r.Run, removable(r)); err != nil {
				return removed, err
			}
		}

		// Otherwise another process has removed or resumed the run since it was listed.
		if done {
			removed = append(removed, summaryOf(r))
		}
	}

	if !dryRun {
		// The remover of a run may have died between the two steps of the removal.
		session.Sweep(ctx, "")
	}
	return removed, nil
}

// removable returns the condition under which a run that matches may be removed. It is empty if the
// run must stay.
func (f Filter) removable(r journal.Summary) journal.Condition {
	switch {
	case !f.match(r):
		return ""
	case !r.Finished.IsZero():
		return journal.WhenEnded
	// Only while it stays so: WhenIdle is checked again when the run is removed.
	case !api.HasCoordinator(r.State) || r.State == api.Damaged:
		return journal.WhenIdle
	}

	return ""
}
