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

// followWait is the longest that one request waits for the next event, and so the longest that a
// done context goes unnoticed.
const followWait = 500 * time.Millisecond

// EventOptions say which events of a run are wanted.
type EventOptions struct {
	Follow bool // wait for events until the run is finished

	// OnStalled, if not nil, is called when there is nothing new and no coordinator owns the run.
	// It is called once until the next event.
	OnStalled func()
}

// Events yields the events of a run in order, from the first. The slice is valid until the next
// one: one entry of the journal may hold thousands of events. An error is yielded last, with no
// events.
func (s *Service) Events(ctx context.Context, id ID, o EventOptions) iter.Seq2[[]api.Event, error] {
	return func(yield func([]api.Event, error) bool) {
		if err := s.events(ctx, id, o, yield); err != nil {
			yield(nil, err)
		}
	}
}

// events returns nil when the caller has had enough, too.
func (s *Service) events(ctx context.Context, id ID, o EventOptions, yield func([]api.Event, error) bool) error {
	run, err := s.before(ctx, id)
	if err != nil {
		return err
	}

	var events []api.Event
	var wait time.Duration
	stopped := false
	told := false
	for {
		// A run that was reopened goes on after its first end: only an empty answer means that
		// there is nothing more.
		n, err := run.Follow(ctx, s.session.Journal, wait, func(e journal.Entry) {
			events = run.Events(e, events[:0])
			stopped = stopped || !yield(events, nil)
		})
		switch {
		case stopped:
			return nil
		case err != nil:
			return stateLost(err)
		case n > 0:
			told = false
		case !o.Follow || run.State.Finished():
			return nil
		case wait == 0:
			wait = followWait
		case !told && o.OnStalled != nil:
			if told, err = s.stalled(ctx, id); err != nil {
				return err
			}
			if told {
				o.OnStalled()
			}
		}
	}
}

// before returns the projection of a run before its first entry.
func (s *Service) before(ctx context.Context, id ID) (*runstate.Run, error) {
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

// stateLost adds [engine.ErrStateLost] to an error that says that a run is gone which was there a
// moment ago.
func stateLost(err error) error {
	if errors.Is(err, journal.ErrNotFound) {
		return fmt.Errorf("%w: %w", engine.ErrStateLost, err)
	}
	return err
}
