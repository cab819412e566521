package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// Part is what a session has to do with a run.
type Part string

// The parts.
const (
	Drives  Part = "drives"   // the run is ours
	Follows Part = "follows"  // another coordinator drives the run
	Waits   Part = "waits"    // nobody drives the run, and we do not either
	Ended   Part = "finished" // the run was finished when we came
)

// watchEvery is how often somebody who follows a run finds out whether it is still driven.
const watchEvery = coordinator.Lease / 10

// conduct sees a run to its end: it drives the run while that is ours (the epoch is not 0), and
// follows it while it is not.
func (s *Session) conduct(ctx context.Context, driver coordinator.Config, o RunOptions, id journal.Identity, epoch int64) (*runstate.Run, error) {
	run := runstate.New(o.ID, o.Spec)
	for {
		if epoch == 0 {
			var err error
			if epoch, err = s.standBy(ctx, run, driver.ID, o); epoch == 0 {
				return run, err
			}
		}

		o.tell(Drives, driver.ID)
		err := s.drive(ctx, driver, o, run, id, epoch)
		if !errors.Is(err, journal.ErrFenced) || ctx.Err() != nil {
			return run, err
		}

		epoch = 0
	}
}

// standBy follows a run until it can be taken over, and returns the epoch then. It is 0 if the run
// is finished, or ctx is done.
func (s *Session) standBy(ctx context.Context, run *runstate.Run, id string, o RunOptions) (epoch int64, err error) {
	err = s.follow(ctx, run, o, func() (bool, error) {
		epoch, err = s.Journal.Acquire(ctx, o.ID, id, coordinator.Lease)
		if errors.Is(err, journal.ErrFenced) {
			return false, s.tellLead(ctx, o)
		}
		return err == nil, err
	})
	return epoch, err
}

// watch follows a run to its end, whoever drives it.
func (s *Session) watch(ctx context.Context, run *runstate.Run, o RunOptions) error {
	return s.follow(ctx, run, o, func() (bool, error) { return false, s.tellLead(ctx, o) })
}

// tellLead says who drives the run.
func (s *Session) tellLead(ctx context.Context, o RunOptions) error {
	leads, err := s.Journal.Ownerships(ctx, o.ID)
	if err != nil {
		return err
	}

	part := Follows
	if leads[0].Left <= 0 {
		part = Waits
	}

	o.tell(part, leads[0].Coordinator)
	return nil
}

// follow reads the journal until the run is finished, or enough says so. While Redis cannot be
// reached it waits.
func (s *Session) follow(ctx context.Context, run *runstate.Run, o RunOptions, enough func() (bool, error)) error {
	if err := s.catchUp(ctx, run, o); err != nil {
		return err
	}

	if run.State.Finished() {
		o.tell(Ended, "")
		return nil
	}

	var asked time.Time
	for warned := false; !run.State.Finished(); {
		done := false
		err := error(nil)
		if time.Since(asked) >= watchEvery {
			done, err = enough()
			asked = time.Now()
		}

		if done {
			return nil
		}
		if err == nil {
			_, err = run.Follow(ctx, s.Journal, watchEvery, o.observe(run))
			o.tick(run)
		}

		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, journal.ErrNotFound) {
			return fmt.Errorf("%w: %w", ErrStateLost, err)
		}
		if journal.Unreadable(err) {
			return err
		}

		if err != nil && !warned {
			s.Logger.Warn("cannot reach Redis, will try again", "run", run.ID, "error", err)
		}

		if warned = err != nil; warned {
			pause(ctx, watchEvery)
		}
	}

	return nil
}

// catchUp reads what the journal has already.
func (s *Session) catchUp(ctx context.Context, run *runstate.Run, o RunOptions) error {
	for { // to the end: a run that was reopened has gone on after it was finished
		if n, err := run.Follow(ctx, s.Journal, 0, o.observe(run)); n == 0 || err != nil {
			return err
		}
	}
}

// pause waits for a time, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
