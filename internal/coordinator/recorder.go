package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/retry"
)

// recorder records what a coordinator decides, in its epoch. It tries again while Redis is
// unreachable: a decision that is not recorded would be made again anyway.
type recorder struct {
	journal *journal.Journal
	run     Run
	logger  *slog.Logger
}

// persist calls write until it succeeds, or until Redis refuses it for good.
func (r *recorder) persist(ctx context.Context, write func() error) error {
	err := retry.Do(ctx, retry.Policy{
		Backoff: retry.Redis,
		Final:   ownershipLost,
		Failed: func(err error) {
			r.logger.Warn("cannot write to the journal, will try again", "run", r.run.ID, "error", err)
		},
	}, write)
	if err != nil && !ownershipLost(err) {
		return context.Cause(ctx) // the caller asks why it was stopped, not which call failed last
	}

	return err
}

// ownershipLost reports whether an error says that this coordinator can record nothing more: the
// run or what it read last is gone, or another coordinator owns the run.
func ownershipLost(err error) bool {
	return errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrFenced) ||
		errors.Is(err, journal.ErrTruncated)
}

// decide records decisions that follow from the journal up to a position.
func (r *recorder) decide(ctx context.Context, position journal.Position, decisions []journal.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	return r.persist(ctx, func() error {
		return r.journal.At(position).Decide(ctx, r.run.ID, r.run.Epoch, decisions)
	})
}

// revoke does the same for decisions about claimed attempts. First it makes the fence agree with
// the journal about them: the crash of Redis that lost a report may also have lost half a
// transaction, and Redis would refuse the decisions for ever.
func (r *recorder) revoke(ctx context.Context, position journal.Position, claims []journal.ExpectedState, decisions []journal.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	return r.persist(ctx, func() error {
		if err := r.repairFence(ctx, position, claims); err != nil {
			return err
		}
		return r.journal.At(position).Decide(ctx, r.run.ID, r.run.Epoch, decisions)
	})
}

// finish records the end of the run.
func (r *recorder) finish(ctx context.Context, position journal.Position, state *dag.Run) error {
	return r.persist(ctx, func() error {
		return r.journal.At(position).Finish(ctx, r.run.ID, r.run.Epoch, state)
	})
}

// timeOut records that the time limit of the run is over.
func (r *recorder) timeOut(ctx context.Context) error {
	return r.persist(ctx, func() error {
		return r.journal.TimeOut(ctx, r.run.ID, r.run.Epoch, r.run.Spec.Timeout)
	})
}

// repairFence makes the fence agree with the journal about attempts in flight. A Redis that lost
// part of a transaction may have a claim or an outcome in the fence without a record of it.
func (r *recorder) repairFence(ctx context.Context, position journal.Position, expected []journal.ExpectedState) error {
	n, err := r.journal.RepairFence(ctx, r.run.ID, r.run.Epoch, position, expected)
	if n > 0 {
		r.logger.Warn("Redis had claims or outcomes that the journal does not have, from a transaction that it lost: removed them",
			"run", r.run.ID, "stages", n)
	}
	return err
}

// checkSpec returns [journal.ErrDigest] if the spec in Redis is not that of the run: workers would
// reject every task.
func (r *recorder) checkSpec(ctx context.Context) error {
	_, digest, err := r.journal.Spec(ctx, r.run.ID)
	if err == nil && digest != r.run.Digest {
		return fmt.Errorf("run %s: %w: the spec was replaced in Redis", r.run.ID, journal.ErrDigest)
	}
	return err
}
