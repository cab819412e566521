package runs

import (
	"context"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// Timeline reads a run up to its newest entry, and when its stages waited and were executed.
func (s *Service) Timeline(ctx context.Context, id ID) (*runstate.Run, *runstate.Timeline, error) {
	run, err := s.newProjection(ctx, id)
	if err != nil {
		return nil, nil, err
	}

	t := runstate.NewTimeline()
	for {
		n, err := run.ReadNext(ctx, s.session.Journal, 0, func(e journal.Entry) { t.Observe(run, e) })
		if n == 0 || err != nil {
			return run, t, err
		}
	}
}
