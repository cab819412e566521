package journal

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ownership says who drives a run.
type Ownership struct {
	Run         RunID
	Coordinator string // the last that drove it; empty if none has yet
	Epoch       int64
	// of its lease, by the clock of Redis; not positive: the run has no coordinator
	Left     time.Duration
	Finished bool
	Gone     bool // Redis does not have the run
}

// Ownerships says who drives runs, in their order, at the cost of one round trip.
func (j *Reader) Ownerships(ctx context.Context, runs ...RunID) ([]Ownership, error) {
	pipe := j.rdb.Pipeline()
	now := pipe.Time(ctx)
	fields := make([]*redis.SliceCmd, len(runs))
	for i, run := range runs {
		fields[i] = pipe.HMGet(ctx, j.key(run, "run"), "digest", "owner", "until", "state", "epoch", "lease")
	}

	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}

	leads := make([]Ownership, len(runs))
	for i, f := range fields {
		m := make([]string, 6)
		for k, v := range f.Val() {
			m[k], _ = v.(string)
		}

		until, _ := strconv.ParseInt(m[2], 10, 64) // nonsense means that the run has no coordinator
		leads[i] = Ownership{Run: runs[i], Coordinator: m[1], Left: left(until, m[5], now.Val()), Finished: m[3] == "finished", Gone: m[0] == ""}
		leads[i].Epoch, _ = strconv.ParseInt(m[4], 10, 64)
		if leads[i].Epoch == 0 {
			leads[i].Coordinator = ""
		}
	}

	return leads, nil
}

// left returns what is left of a lease. If it is more than the lease was long, it was granted while
// the clock was ahead, and its age is unknown: nothing is left, and [Journal.Acquire] finds
// out whether its owner lives.
func left(until int64, length string, now time.Time) time.Duration {
	left := time.UnixMilli(until).Sub(now)
	if ms, err := strconv.ParseInt(length, 10, 64); err == nil && left > time.Duration(ms)*time.Millisecond {
		return 0
	}
	return left
}
