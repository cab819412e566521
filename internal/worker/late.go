package worker

import (
	"context"
	"time"

	"github.com/godags/godags/internal/worker/delivery"
	"github.com/godags/godags/internal/worker/execution"
)

// onLate sees whether an attempt takes longer than expected. Nothing else should wait for it:
//
//	  0 ms  the attempt starts
//	  5 ms  delivery.ReportAfter: report what ended before it
//	 25 ms  delivery.RequeueAfter: requeue what is not claimed
//	250 ms  delivery.ReturnAfter: return what is claimed, as lost and not begun
func (b *batch) onLate(ctx context.Context) {
	a := b.late()
	if a == nil {
		return
	}

	// The cheapest measure comes first: a report delays nothing, a requeue costs a task, and a
	// returned claim costs a lost attempt in the journal.
	for _, after := range []time.Duration{delivery.ReportAfter, delivery.RequeueAfter, delivery.ReturnAfter} {
		if !runsFor(a, after) {
			return
		}

		c := b.whileLate(a, after)
		switch c.Action {
		case delivery.Send:
			b.send(ctx, c)
		case delivery.Requeue:
			if err := b.requeue(ctx, c.Attempts, 0); err != nil {
				// The coordinator sends attempts again that are not claimed for a while.
				b.Logger.Warn("cannot requeue stages, they wait behind a long one", "run", b.Claim.Run, "error", err)
			}
		}
	}
}

// late returns the current attempt if it is late. If it may become so, the timer is set for that.
func (b *batch) late() *execution.Attempt {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.current != nil {
		// The timer was set for an attempt before the current one. It is not reset at each start,
		// which would wake a thread for each short stage.
		if left := delivery.ReportAfter - time.Since(b.current.Begin()); left > 0 {
			b.lateTimer.Reset(left)
			return nil
		}
	}

	b.watching = false
	return b.current
}

// whileLate returns what to do while a late attempt is running.
func (b *batch) whileLate(a *execution.Attempt, after time.Duration) delivery.Command {
	b.mu.Lock()
	defer b.mu.Unlock()

	// An answer may arrive, and the attempt may end, while this goroutine waits without the lock.
	c := b.machine.Late(a.AttemptID, after)
	for c.Action == delivery.Wait {
		b.answered.Wait()
		c = b.machine.Late(a.AttemptID, after)
	}
	return c
}

// runsFor waits until an attempt has taken a time. It is false if the attempt ends before that.
func runsFor(a *execution.Attempt, d time.Duration) bool {
	t := time.NewTimer(time.Until(a.Begin().Add(d)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.Done():
		return false
	}
}
