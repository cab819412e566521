package worker

import (
	"context"
	"sync"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/worker/delivery"
	"github.com/godags/godags/internal/worker/execution"
)

// batch is one batch that was delivered to the worker. It tells its [delivery.Machine] what
// happens, and carries out the commands that the machine gives.
//
// One goroutine executes the attempts. The timer for late attempts runs in another one, and
// controls are polled in a third.
type batch struct {
	*execution.Batch
	worker    *Worker
	task      queue.Batch // as it was delivered
	freeSlot  func()      // lets another batch have the slot; may be called more than once
	lateTimer *time.Timer

	mu       sync.Mutex
	answered sync.Cond // signals that no call to Redis is in flight
	machine  *delivery.Machine
	current  *execution.Attempt // nil between attempts
	// lateTimer runs. It is not started anew for each attempt: that would wake a thread each time.
	watching bool
	failure  error // of a call that has failed for good
}

var _ execution.Delivery = (*batch)(nil)

// handle executes the attempts of a batch that it can claim. The rest belong to other workers.
func (w *Worker) handle(ctx context.Context, task queue.Batch, freeSlot func()) error {
	ctx = context.WithoutCancel(ctx) // Asynq ends it with its own lease; the claim is what counts

	b, err := w.open(ctx, task, freeSlot)
	if runGone(err) {
		w.Logger.Warn("batch refused", "run", task.Run, "error", err)
		return nil // another delivery would be refused as well
	}
	if err != nil {
		return err // deliver it again
	}

	if empty, err := b.rejectUnknownTasks(ctx); empty || err != nil {
		return err
	}

	// From now on heartbeats name its attempts, so that they are not taken for lost.
	w.batches.add(b)
	defer w.batches.remove(b)

	err = b.execute(ctx)
	b.countFailures(ctx)

	// Without the run there is nothing to report to, and another delivery would fail as well.
	if runGone(err) {
		w.Logger.Warn("batch given up", "error", err)
		return nil
	}

	return err
}

func (w *Worker) open(ctx context.Context, task queue.Batch, freeSlot func()) (*batch, error) {
	b := &batch{worker: w, task: task, freeSlot: freeSlot}
	b.answered.L = &b.mu

	opened, attempts, err := w.executor.Open(ctx, task, b)
	if err != nil {
		return nil, err
	}

	b.Batch = opened
	b.machine = delivery.New(opened, attempts)
	return b, nil
}

// execute carries out the commands of the machine until everything that ended is recorded.
func (b *batch) execute(ctx context.Context) error {
	// Made once and stopped; nextUnless sets it. A new timer for each attempt would wake a thread.
	b.lateTimer = time.AfterFunc(time.Hour, func() { b.onLate(ctx) })
	b.lateTimer.Stop()
	defer b.lateTimer.Stop()

	for {
		c, attempt := b.next()
		if c.SlotFree {
			// The worker fetches the next batch while it reports the last attempts of this one.
			b.freeSlot()
		}

		switch c.Action {
		case delivery.Start:
			b.end(attempt.Execute())
		case delivery.Send:
			b.send(ctx, c)
		case delivery.Requeue:
			if err := b.requeue(ctx, c.Attempts, 0); err != nil {
				return err
			}
		case delivery.Done:
			return b.failure // no call is in flight any more
		}
	}
}

// next returns what to do while no attempt is running, and the attempt if one is to be executed.
func (b *batch) next() (delivery.Command, *execution.Attempt) {
	for {
		// Asked without the lock: a worker that was suspended may wait for a heartbeat here, which
		// needs the lock.
		halt := b.worker.awaitMayStart()

		c, attempt := b.nextUnless(halt)
		if c.Action != delivery.Wait {
			return c, attempt
		}
	}
}

// nextUnless returns what to do while no attempt is running, if the worker may start attempts. If
// the machine waits for an answer, nextUnless waits for it, and returns the command to wait.
func (b *batch) nextUnless(halt error) (delivery.Command, *execution.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if halt != nil {
		b.machine.Halt(halt)
	}

	c := b.machine.Next(b.worker.draining.Load())
	switch c.Action {
	case delivery.Wait:
		if c.SlotFree {
			b.freeSlot()
		}

		// Another answer than the one that is waited for does no harm: the machine is asked again.
		b.answered.Wait()
	case delivery.Start:
		b.current = b.NewAttempt(c.Attempt, c.Before, c.Chain)

		// An attempt that nothing waits for may take as long as it likes.
		if !b.watching && b.machine.Waited() {
			b.watching = true
			b.lateTimer.Reset(delivery.ReportAfter)
		}
	}

	return c, b.current
}

// end notes how the current attempt has ended; nil if its outcome is not wanted.
func (b *batch) end(o *journal.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current = nil
	b.machine.End(o)
}

// send reports and claims in one call to Redis, which it repeats until it succeeds.
func (b *batch) send(ctx context.Context, c delivery.Command) {
	var accepted []bool

	// Each call has the same token. So a claim that took effect although its answer was lost is
	// granted again to this batch.
	err := b.worker.retryWrite("report and claim", b.Claim.Run, func() (err error) {
		accepted, err = b.Journal.Step(ctx, b.Claim, c.Ops)
		return err
	})

	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.answered.Broadcast()

	if err != nil {
		// The run is gone or the worker aborts. The batch ends once its running attempt has ended.
		b.failure = err
		b.machine.Fail()
		return
	}

	refused, kill := b.machine.Answer(accepted)
	if kill {
		// Only the claim of a fused attempt is answered while that attempt is running.
		b.current.Revoke()
	}

	for _, a := range refused {
		b.Logger.Info("report not recorded", "run", b.Claim.Run,
			"stage", b.Name(a.Stage), "attempt", a.Attempt, "why", execution.ErrRevoked)
	}

	if c.Claims {
		// The journal shows its attempts now, so heartbeats need not name the task any more.
		b.worker.server.MarkClaimed(b.task.ID)
	}
}

// requeue returns attempts that are not claimed to the queue, for another worker.
func (b *batch) requeue(ctx context.Context, attempts []journal.AttemptID, hops int) error {
	// All else stays as the coordinator sent it, such as the position that claims follow from.
	task := b.task
	task.Hops = hops
	task.Items = make([]queue.Item, len(attempts))
	for i, a := range attempts {
		task.Items[i] = b.Item(a)
	}
	return b.worker.Queue.Requeue(ctx, task, b.Name(attempts[0].Stage))
}

// Upcoming implements [execution.Delivery].
func (b *batch) Upcoming(yield func(journal.AttemptID) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.machine.Upcoming(yield)
}

// Revoke implements [execution.Delivery]: it gives up an attempt whose claim is void.
func (b *batch) Revoke(a journal.AttemptID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.machine.Revoke(a) {
		b.current.Revoke()
	}
}

// stop stops the current attempt and lets no other start.
func (b *batch) stop(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.machine.Halt(cause)
	if b.current != nil {
		b.current.Stop(cause)
	}
}

// held returns the attempts that are claimed and whose reports are not recorded.
func (b *batch) held() []journal.AttemptID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.machine.Held()
}

// executing returns the name of the stage that is being executed.
func (b *batch) executing() (name string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current == nil {
		return "", false
	}
	return b.current.Name(), true
}

// countWithin is how long a batch waits for its failures to be counted.
const countWithin = time.Second

// countFailures shows in asynqmon which attempts failed. Nothing depends on these counts, so it
// tries once.
func (b *batch) countFailures(ctx context.Context) {
	b.mu.Lock()
	counts := b.machine.Counts()
	b.mu.Unlock()
	if counts.Failed == 0 {
		return
	}

	bounded, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	if err := b.worker.Queue.CountFailures(bounded, b.task.Queue, counts.Failed, counts.Others); err != nil {
		b.Logger.Warn("asynqmon will not show that stages failed", "run", b.Claim.Run, "error", err)
	}
}
