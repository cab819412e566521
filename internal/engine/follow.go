package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/retry"
	"github.com/godags/godags/internal/runstate"
)

// Role is what a session does for a run.
type Role string

// The roles.
const (
	Owns    Role = "owns"     // this process coordinates the run
	Follows Role = "follows"  // another coordinator owns the run
	Waits   Role = "waits"    // no coordinator owns the run, and this process cannot
	Ended   Role = "finished" // the run was finished when the session looked
)

// watchEvery is how often a follower checks whether the run still has a coordinator. It is a
// fraction of the lease, so that a dead coordinator is replaced soon after its lease expired.
const watchEvery = coordinator.Lease / 10

// follower reads the journal of a run that another process may coordinate.
type follower struct {
	journal *journal.Journal
	logger  *slog.Logger
	options RunOptions
	state   *runstate.Run
}

func newFollower(s *Session, o RunOptions, state *runstate.Run) follower {
	return follower{journal: s.Journal, logger: s.Logger, options: o, state: state}
}

// waitForTakeover follows a run until this process can own it, and returns the epoch then. The
// epoch is 0 if the run is finished, or ctx is done.
func (f follower) waitForTakeover(ctx context.Context, coordinatorID string) (epoch int64, err error) {
	err = f.follow(ctx, func() (bool, error) {
		epoch, err = f.journal.Acquire(ctx, f.options.ID, coordinatorID, coordinator.Lease)
		if errors.Is(err, journal.ErrFenced) {
			// Another coordinator holds the lease. It is named, so that a user knows whom to wait
			// for.
			return false, f.tellOwner(ctx)
		}
		return err == nil, err
	})
	return epoch, err
}

// watch follows a run to its end, and never owns it.
func (f follower) watch(ctx context.Context) error {
	return f.follow(ctx, func() (bool, error) { return false, f.tellOwner(ctx) })
}

// tellOwner tells which coordinator owns the run.
func (f follower) tellOwner(ctx context.Context) error {
	owners, err := f.journal.Ownerships(ctx, f.options.ID)
	if err != nil {
		return err
	}

	role := Follows
	if owners[0].Left <= 0 {
		role = Waits
	}

	f.options.tell(role, owners[0].Coordinator)
	return nil
}

// follow reads the journal until the run is finished, or done reports true. It calls done about
// three times a second. While Redis is unreachable it waits.
func (f follower) follow(ctx context.Context, done func() (bool, error)) error {
	if err := f.catchUp(ctx); err != nil {
		return err
	}

	if f.state.DAG.Finished() {
		f.options.tell(Ended, "")
		return nil
	}

	var asked time.Time
	warned := false
	for !f.state.DAG.Finished() {
		stop, err := false, error(nil)
		if time.Since(asked) >= watchEvery {
			stop, err = done()
			asked = time.Now()
		}
		if stop {
			return nil
		}

		if err == nil {
			// It waits for new entries no longer than until the next check of the owner.
			_, err = f.state.ReadNext(ctx, f.journal, watchEvery, f.options.observe(f.state))
			f.options.tick(f.state)
		}

		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, journal.ErrNotFound):
			return fmt.Errorf("%w: %w", ErrStateLost, err)
		case journal.Unreadable(err):
			return err
		case err == nil:
			warned = false
			continue
		}

		// All other errors come from an unreachable Redis. One warning per outage is enough.
		if !warned {
			f.logger.Warn("cannot reach Redis, will try again", "run", f.state.ID, "error", err)
			warned = true
		}
		retry.Sleep(ctx, watchEvery)
	}

	return nil
}

// catchUp reads what the journal has already.
func (f follower) catchUp(ctx context.Context) error {
	// It does not stop where the run is finished: a run that was reopened has entries after that.
	for {
		n, err := f.state.ReadNext(ctx, f.journal, 0, f.options.observe(f.state))
		if n == 0 || err != nil {
			return err
		}
	}
}
