package runs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// followWait is how long one request waits for the next event. A cancelled context is noticed
// within the same time.
const followWait = 500 * time.Millisecond

// EventOptions select the events of a run.
type EventOptions struct {
	Follow bool // wait for events until the run is finished

	// OnStalled, if not nil, is called when there is nothing new and no coordinator owns the run.
	// It is called once until the next event.
	OnStalled func()
}

// Events yields the events of a run in order, from the first. Each slice has the events of one
// entry of the journal, and is valid until the next one. An error is yielded last, with no events.
func (s *Service) Events(ctx context.Context, id ID, o EventOptions) iter.Seq2[[]api.Event, error] {
	return func(yield func([]api.Event, error) bool) {
		if err := s.events(ctx, id, o, yield); err != nil {
			yield(nil, err)
		}
	}
}

// events calls yield for each entry. It returns nil if yield stops the iteration.
func (s *Service) events(ctx context.Context, id ID, o EventOptions, yield func([]api.Event, error) bool) error {
	run, err := s.newProjection(ctx, id)
	if err != nil {
		return err
	}

	var events []api.Event
	var wait time.Duration
	stopped := false
	reported := false // OnStalled was called since the last event
	for {
		// A reopened run continues after its first run.finished: only an empty answer ends the
		// events.
		n, err := run.ReadNext(ctx, s.session.Journal, wait, func(e journal.Entry) {
			// One slice for all entries, since an entry may have thousands of events.
			events = run.Events(e, events[:0])
			stopped = stopped || !yield(events, nil)
		})
		switch {
		case stopped:
			return nil
		case err != nil:
			return stateLost(err)
		case n > 0:
			reported = false
		case !o.Follow || run.DAG.Finished():
			return nil
		case wait == 0:
			// Only once all existing entries were read: a wait would delay each of them.
			wait = followWait
		case !reported && o.OnStalled != nil:
			if reported, err = s.stalled(ctx, id); err != nil {
				return err
			}
			if reported {
				o.OnStalled()
			}
		}
	}
}

// newProjection returns the projection of a run before its first entry is applied.
func (s *Service) newProjection(ctx context.Context, id ID) (*runstate.Run, error) {
	sp, err := s.session.Spec(ctx, id)
	if err != nil {
		return nil, err
	}
	return runstate.New(id, sp), nil
}

// stalled reports whether no coordinator owns a run.
func (s *Service) stalled(ctx context.Context, id ID) (bool, error) {
	summary, err := s.session.Journal.Summary(ctx, id)
	if err != nil {
		return false, stateLost(err)
	}
	return !api.HasCoordinator(summary.State), nil
}

// stateLost adds [engine.ErrStateLost] to journal.ErrNotFound, for a run that existed a moment ago.
func stateLost(err error) error {
	if errors.Is(err, journal.ErrNotFound) {
		return fmt.Errorf("%w: %w", engine.ErrStateLost, err)
	}
	return err
}
