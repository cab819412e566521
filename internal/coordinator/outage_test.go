package coordinator

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// outage is a hook of a client, whose commands do not reach Redis while it is set.
type outage struct{ atomic.Bool }

var errAway = errors.New("connection refused")

func (o *outage) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *outage) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if o.Load() {
			return errAway
		}
		return next(ctx, cmd)
	}
}

func (o *outage) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if o.Load() {
			return errAway
		}
		return next(ctx, cmds)
	}
}

func TestACoordinatorThatTakesOverWhileRedisIsAwayWaitsForIt(t *testing.T) {
	simulate(t, "a; b: a", func(w *world) {
		w.sent("a#1")
		w.stop(errors.New("crash"))
		w.pass(Lease)
		epoch, err := w.journal.Acquire(w.Context(), w.run, "c2", Lease)
		w.must(err)
		var away outage
		w.rdb.AddHook(&away)
		away.Store(true)
		w.drive("c2", epoch)
		w.pass(2 * time.Second)
		away.Store(false)
		w.beat("w1", "default")
		w.pass(tickEvery)
		w.sent("a#1")
		w.does("a", 1)
		w.sent("b#1")
		w.does("b", 1)
		w.ends(nil)
	})
}
