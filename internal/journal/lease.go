package journal

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Acquire makes the coordinator the owner of a run whose lease is free or has expired, and returns
// the epoch. If another coordinator owns the run it returns [ErrFenced].
func (j *Journal) Acquire(ctx context.Context, run RunID, coordinator string, lease time.Duration) (epoch int64, err error) {
	return j.acquire(ctx, run, coordinator, lease, 0)
}

// Renew keeps the coordinator the owner of the run for another lease. After [ErrFenced] the
// coordinator must stop deciding.
func (j *Journal) Renew(ctx context.Context, run RunID, coordinator string, lease time.Duration, epoch int64) error {
	_, err := j.acquire(ctx, run, coordinator, lease, epoch)
	return err
}

func (j *Journal) acquire(ctx context.Context, run RunID, coordinator string, lease time.Duration, epoch int64) (int64, error) {
	keys := []string{j.key(run, "run")}
	got, err := acquireScript.Run(ctx, j.rdb, keys, coordinator, lease.Milliseconds(), epoch).Slice()
	if err != nil {
		return 0, named(run, err)
	}

	// A refusal is an answer and no error of the script: it names the owner, which the error of
	// Redis could not do without being parsed.
	if epoch = got[0].(int64); epoch == 0 {
		return 0, named(run, fmt.Errorf("%w: %v", ErrFenced, got[1]))
	}
	return epoch, nil
}

// Release ends the coordinator's lease, so that another coordinator can acquire the run at once. It
// does nothing if another coordinator owns the run already.
func (j *Journal) Release(ctx context.Context, run RunID, coordinator string, epoch int64) error {
	return named(run, releaseScript.Run(ctx, j.rdb, []string{j.key(run, "run")}, coordinator, epoch).Err())
}

// Ownership says who owns a run.
type Ownership struct {
	Run         RunID
	Coordinator string // the last owner; empty if no coordinator has owned the run yet
	Epoch       int64

	// Left is the rest of the lease, by the clock of Redis. If it is not positive, the run has no
	// coordinator.
	Left time.Duration

	Finished bool
	Gone     bool // Redis does not have the run
}

// Ownerships says who owns each run, in the order of runs. It takes one round trip.
func (j *Reader) Ownerships(ctx context.Context, runs ...RunID) ([]Ownership, error) {
	// The end of a lease means nothing without the clock that wrote it, and clocks of hosts differ:
	// Redis tells its time in the same trip.
	pipe := j.rdb.Pipeline()
	now := pipe.Time(ctx)
	fields := make([]*redis.SliceCmd, len(runs))
	for i, run := range runs {
		fields[i] = pipe.HMGet(ctx, j.key(run, "run"), "digest", "owner", "until", "state", "epoch", "lease")
	}

	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}

	ownerships := make([]Ownership, len(runs))
	for i, f := range fields {
		m := make([]string, 6)
		for k, v := range f.Val() {
			m[k], _ = v.(string)
		}

		// Text that is no number becomes 0: the run then has no coordinator, and the next one
		// writes sound values.
		until, _ := strconv.ParseInt(m[2], 10, 64)
		epoch, _ := strconv.ParseInt(m[4], 10, 64)
		ownerships[i] = Ownership{
			Run:         runs[i],
			Coordinator: m[1],
			Epoch:       epoch,
			Left:        left(until, m[5], now.Val()),
			Finished:    m[3] == "finished",
			Gone:        m[0] == "",
		}

		// A detached run has its submitter as owner, which never coordinates it.
		if epoch == 0 {
			ownerships[i].Coordinator = ""
		}
	}

	return ownerships, nil
}

// left returns the rest of a lease that ends at until and was granted for length milliseconds.
func left(until int64, length string, now time.Time) time.Duration {
	left := time.UnixMilli(until).Sub(now)

	// More than the whole length was granted while the clock was ahead, so its age is unknown. Then
	// nothing is left, and [Journal.Acquire] finds out whether the owner is alive.
	if ms, err := strconv.ParseInt(length, 10, 64); err == nil && left > time.Duration(ms)*time.Millisecond {
		return 0
	}
	return left
}
