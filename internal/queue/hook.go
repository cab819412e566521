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

// wakeFallback is how long an idle worker waits for a wake-up before it asks its queues: wake-ups
// can get lost.
const wakeFallback = time.Second

// handlerTimeout is how long the handler of a dequeued task may take to start. A later handler
// waits for another slot.
const handlerTimeout = time.Second

// maxDequeueWait is how long the hook may keep a dequeue waiting for a slot or a wake-up. Asynq
// computes the end of a task's lease, 30 s, before it asks for the task, so the wait shortens the
// lease.
const maxDequeueWait = 5 * time.Second

// Delays after errors, after which Asynq itself would ask again at once.
const (
	firstDelay = 100 * time.Millisecond
	lastDelay  = time.Second
)

// hook sits between an Asynq server and Redis. The way of a slot:
//
//	Asynq           hook                          Redis     Server
//	  | dequeue       |                             |          |
//	  |-------------->| awaitHandler                |          |
//	  |               | take a slot                 |          |
//	  |               | fetch --------------------->|          |
//	  |               |   empty: wait for a wake-up |          |
//	  |               |<----------------------- task|          |
//	  |               | handlerDue = true           |          |
//	  |<----------task|                             |          |
//	  | process ---------------------------------------------->|
//	  |               |<-------------------------handlerStarted|
//	  |               | handlerDue = false          |          |
//	  |               |<-------------------------------freeSlot|
//	  |<-------------------------------------return, or error--|
//	  | done or retry |                             |          |
//	  |-------------->| complete ------------------>|          |
//
// The handler frees the slot once the stages are executed, and returns when they are reported.
//
//   - Asynq polls an empty queue. The hook parks the dequeue until a wake-up, the fallback timer,
//     or the stop of the server.
//   - Nothing is dequeued while all slots are taken. A slot is free again as soon as the stages of
//     its batch are executed. So the next batch is fetched while the last one reports.
//   - Asynq calls no handler for a task that it cannot decode, or whose deadline is over. The slot
//     of such a task is returned.
//   - Nothing is dequeued while the worker cannot execute stages.
//   - A failed dequeue is followed by a pause.
//   - A completion that cannot reach Redis is repeated until the task's lease ends. Asynq repeats
//     it too, but with a context that it has already cancelled.
type hook struct {
	queues       int
	slots        chan struct{} // holds an element for each slot that is taken
	wake         chan struct{} // has room for one wake-up, so that one before the wait is kept
	stop         <-chan struct{}
	handlerDue   atomic.Bool   // a task was dequeued with a slot, and its handler has not started
	handlerCame  chan struct{} // holds an element once that handler has started
	emptyQueues  atomic.Int32  // queues found empty in this round
	failedInARow atomic.Int32  // dequeues that failed, since one reached Redis
	held         atomic.Bool   // nothing may be dequeued: the worker cannot execute stages
}

func newHook(queues, slots int, wake chan struct{}, stop <-chan struct{}) *hook {
	return &hook{queues: queues, slots: make(chan struct{}, slots), handlerCame: make(chan struct{}, 1), wake: wake, stop: stop}
}

func (h *hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return next(ctx, cmds) }
}

func (h *hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		// Asynq's scripts have no names, but each is known by its keys. The dequeue has the list
		// and the pause of a queue, and whatever ends a task has the list of active tasks first.
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

// scriptKeys returns the first two keys of a script call: EVAL[SHA] script n key key...
func scriptKeys(cmd redis.Cmder) (first, second string) {
	args := cmd.Args()
	if name := cmd.Name(); name != "evalsha" && name != "eval" || len(args) < 5 {
		return "", ""
	}
	first, _ = args[3].(string)
	second, _ = args[4].(string)
	return first, second
}

// heldInterval is the time between two looks whether dequeues are still held.
const heldInterval = 100 * time.Millisecond

// dequeue takes a slot and a task. The slot goes to the handler of the task, or is returned if
// there is no task.
func (h *hook) dequeue(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
	h.awaitHandler()

	// An unhealthy worker must leave tasks to the others. Without the pause Asynq would ask again
	// within a millisecond.
	if h.held.Load() {
		h.pause(heldInterval, nil)
		cmd.SetErr(redis.Nil) // Asynq asks again
		return redis.Nil
	}

	// The slot comes before the task: a task that waits in this process for a slot could be
	// executed by another worker meanwhile.
	begin := time.Now()
	select {
	case h.slots <- struct{}{}:
	case <-h.stop:
		cmd.SetErr(redis.Nil)
		return redis.Nil
	}

	err := error(redis.Nil)
	if time.Since(begin) > maxDequeueWait {
		cmd.SetErr(err) // the computed lease is too old: Asynq asks again with a new one
	} else {
		err = h.fetch(ctx, cmd, next, begin)
	}
	if err != nil {
		<-h.slots
	}

	h.handlerDue.Store(err == nil)
	return err
}

// awaitHandler waits until the handler of the last dequeued task has started, or returns its slot.
func (h *hook) awaitHandler() {
	if !h.handlerDue.Load() {
		return
	}

	// Asynq does not tell whether it will call a handler for a task. A slot that was never returned
	// would be missing for as long as the worker lives, so the slot is returned after a while. If
	// the handler was only late, it takes another slot.
	t := time.NewTimer(handlerTimeout)
	defer t.Stop()
	for h.handlerDue.Load() {
		select {
		case <-h.handlerCame:
		case <-t.C:
			if h.handlerDue.CompareAndSwap(true, false) {
				<-h.slots
			}
		case <-h.stop:
			return
		}
	}
}

// handlerStarted gives a handler the slot that was taken for its task.
func (h *hook) handlerStarted() {
	if !h.handlerDue.CompareAndSwap(true, false) {
		h.slots <- struct{}{} // the handler is late, and its slot was returned
		return
	}

	select {
	case h.handlerCame <- struct{}{}:
	default:
	}
}

// fetch sends a dequeue, and waits while the queues are empty.
func (h *hook) fetch(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook, begin time.Time) error {
	for {
		// A wake-up from before this dequeue is stale: the dequeue finds the task that it was
		// about. With several queues that task may be in another one.
		if h.queues == 1 {
			h.dropWakeUp()
		}

		err := next(ctx, cmd)
		switch {
		case err == nil:
			h.emptyQueues.Store(0)
			h.failedInARow.Store(0)
			return nil
		case errors.Is(err, redis.Nil):
			h.failedInARow.Store(0)
			if int(h.emptyQueues.Add(1)) < h.queues {
				return err // Asynq asks the other queues first
			}

			// All queues are empty. With one queue the dequeue is repeated right here, which saves
			// a round through Asynq between the wake-up and the task.
			h.emptyQueues.Store(0)
			if !h.pause(wakeFallback, h.wake) || h.queues > 1 || time.Since(begin) > maxDequeueWait || h.held.Load() {
				return err // Asynq begins a new round, with a new lease
			}

			cmd.SetErr(nil)
		case strings.HasPrefix(err.Error(), "NOSCRIPT"):
			return err // go-redis sends the script's text
		default:
			h.pause(min(lastDelay, firstDelay<<min(h.failedInARow.Add(1)-1, 10)), nil)
			return err
		}
	}
}

// dropWakeUp removes a wake-up that is waiting.
func (h *hook) dropWakeUp() {
	select {
	case <-h.wake:
	default:
	}
}

// pause waits for a time or a wake-up. It returns false if the server stops.
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

// complete sends the end of a task to Redis, and repeats it while Redis is unavailable.
func (h *hook) complete(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
	// A lost completion is no fault, since the claims of a redelivered task are refused. But Asynq
	// delivers the task again only after its lease, and another worker is busy with it then.
	return retry.Do(ctx, retry.Policy{
		Backoff: retry.Backoff{First: firstDelay, Max: lastDelay},
		Final:   func(err error) bool { return !fault.Unavailable(err) },
	}, func() error {
		cmd.SetErr(nil) // the error of the previous call
		return next(ctx, cmd)
	})
}
