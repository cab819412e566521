package queue

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/retry"
)

// fallback is how long an idle worker waits for a wake-up before it looks by itself: wake-ups can
// get lost.
const fallback = time.Second

// handlerWithin is how long the handler of a task that was dequeued may take to begin. If it comes
// later it waits for another slot.
const handlerWithin = time.Second

// freshFor is how long one dequeue may wait. It says until when the task would be leased, and Asynq
// leases tasks for 30 s.
const freshFor = 5 * time.Second

// Delays after errors: Asynq itself would ask again at once.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = time.Second
)

// hook sits between an Asynq server and Redis.
//
//   - An empty queue is not polled: the dequeue is parked until a wake-up, the fallback timer, or
//     the stop of the server.
//   - Nothing is dequeued while all slots are taken. A slot is free again as soon as the stages of
//     its bundle are executed, so that the next bundle is fetched while the last one is still being
//     reported.
//   - A slot is not lost with a task for which Asynq calls no handler: one that it cannot read, or
//     whose deadline is over.
//   - Nothing is dequeued while the worker cannot execute stages.
//   - A dequeue that fails is followed by a pause.
//   - A completion that cannot reach Redis is tried again until the task's lease ends. Asynq means
//     to do so itself, but with a context that it has already cancelled.
type hook struct {
	queues   int
	slots    chan struct{} // holds an element for each slot that is taken
	wake     chan struct{} // one slot: a wake-up between "empty" and "park" is kept
	stop     <-chan struct{}
	expected atomic.Bool   // a handler: a task was dequeued, and a slot taken for it
	arrived  chan struct{} // holds an element once it has come
	empty    atomic.Int32  // queues found empty in this round
	failed   atomic.Int32  // dequeues failed in a row
	held     atomic.Bool   // nothing is to be dequeued
}

func newHook(queues, slots int, wake chan struct{}, stop <-chan struct{}) *hook {
	return &hook{queues: queues, slots: make(chan struct{}, slots), arrived: make(chan struct{}, 1), wake: wake, stop: stop}
}

func (h *hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return next(ctx, cmds) }
}

func (h *hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		first, second := scriptKeys(cmd)
		switch {
		case strings.HasSuffix(first, ":pending") && strings.HasSuffix(second, ":paused"):
			return h.dequeue(ctx, cmd, next)
		case strings.HasSuffix(first, ":active"):
			return h.complete(ctx, cmd, next)
		}
		return next(ctx, cmd)
	}
}

// scriptKeys returns the first two keys of a script call: EVAL[SHA] script n key key ...
func scriptKeys(cmd redis.Cmder) (first, second string) {
	args := cmd.Args()
	if name := cmd.Name(); name != "evalsha" && name != "eval" || len(args) < 5 {
		return "", ""
	}
	first, _ = args[3].(string)
	second, _ = args[4].(string)
	return first, second
}

// heldCheck is how often a dequeue that is held back is looked at.
const heldCheck = 100 * time.Millisecond

// dequeue takes a slot, which goes to the handler of the bundle, or is given back when there is
// none.
func (h *hook) dequeue(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
	h.awaitHandler()
	if h.held.Load() {
		h.pause(heldCheck, nil)
		cmd.SetErr(redis.Nil) // Asynq asks again
		return redis.Nil
	}

	begin := time.Now()
	select {
	case h.slots <- struct{}{}:
	case <-h.stop:
		cmd.SetErr(redis.Nil)
		return redis.Nil
	}

	err := error(redis.Nil)
	if time.Since(begin) > freshFor {
		cmd.SetErr(err) // Asynq asks again, with a new lease
	} else {
		err = h.fetch(ctx, cmd, next, begin)
	}
	if err != nil {
		<-h.slots
	}

	h.expected.Store(err == nil)
	return err
}

// awaitHandler returns when the last task that was dequeued is with its handler, or its slot is
// free again. Asynq dequeues in one goroutine.
func (h *hook) awaitHandler() {
	if !h.expected.Load() {
		return
	}

	t := time.NewTimer(handlerWithin)
	defer t.Stop()
	for h.expected.Load() {
		select {
		case <-h.arrived:
		case <-t.C:
			if h.expected.CompareAndSwap(true, false) {
				<-h.slots
			}
		case <-h.stop:
			return
		}
	}
}

// handlerStarted gives a handler the slot that was taken for it.
func (h *hook) handlerStarted() {
	if !h.expected.CompareAndSwap(true, false) {
		h.slots <- struct{}{} // it comes late
		return
	}
	select {
	case h.arrived <- struct{}{}:
	default:
	}
}

// fetch waits while the queues are empty.
func (h *hook) fetch(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook, begin time.Time) error {
	for {
		if h.queues == 1 {
			h.dropWakeUp()
		}

		err := next(ctx, cmd)
		switch {
		case err == nil:
			h.empty.Store(0)
			h.failed.Store(0)
			return nil
		case errors.Is(err, redis.Nil):
			h.failed.Store(0)
			if int(h.empty.Add(1)) < h.queues {
				return err // Asynq asks the other queues first
			}

			h.empty.Store(0)
			if !h.pause(fallback, h.wake) || h.queues > 1 || time.Since(begin) > freshFor || h.held.Load() {
				return err // Asynq begins a new round, with a new lease
			}

			cmd.SetErr(nil)

		case strings.HasPrefix(err.Error(), "NOSCRIPT"):
			return err // go-redis sends the script's text
		default:
			h.pause(min(lastDelay, firstDelay<<min(h.failed.Add(1)-1, 10)), nil)
			return err
		}
	}
}

// dropWakeUp forgets a wake-up that came before a look: the look finds what it was about. Of several
// queues it might be another one.
func (h *hook) dropWakeUp() {
	select {
	case <-h.wake:
	default:
	}
}

// pause waits for a time or a wake-up. It is false if the server stops.
func (h *hook) pause(d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-h.stop:
		return false
	}

	return true
}

func (h *hook) complete(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
	return retry.Do(ctx, retry.Policy{
		Backoff: retry.Backoff{First: firstDelay, Max: lastDelay},
		Final:   func(err error) bool { return !fault.Unavailable(err) },
	}, func() error {
		cmd.SetErr(nil) // of the call before
		return next(ctx, cmd)
	})
}
