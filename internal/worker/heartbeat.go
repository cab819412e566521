package worker

import (
	"context"
	"sync"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
)

// heartbeat is what a worker knows about its heartbeats, and so about whether others may take its
// attempts.
type heartbeat struct {
	mu sync.Mutex
	// accepted is when the last heartbeat was sent that Redis has accepted. The time of the answer
	// would be too late: others count from when Redis has received it.
	accepted time.Time
	// sent is when the last heartbeat was sent, accepted or not; zero if none will be.
	sent time.Time
	// unanswered says that a heartbeat which was sent after the process was suspended has no answer
	// yet.
	unanswered bool
}

// unreachableAfter is how long after its last heartbeat a worker stops its stages. Other workers
// start them a second after [fleet.WorkerTTL] at the earliest. A network that fails for two
// seconds, plus the time since the last heartbeat, is no reason to stop.
const unreachableAfter = fleet.WorkerTTL - fleet.HeartbeatInterval/2

// suspendedAfter is how long after its last heartbeat was sent a process must have been suspended
// (SIGSTOP, Ctrl-Z, a machine that sleeps). Whatever Redis does, the next heartbeat is sent after
// half a [fleet.WorkerTTL] and a [fleet.HeartbeatInterval] at the latest.
const suspendedAfter = fleet.WorkerTTL/2 + fleet.HeartbeatInterval

// lastAccepted returns when the last heartbeat was sent that Redis has accepted; zero if none.
func (h *heartbeat) lastAccepted() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.accepted
}

// untilUnreachable returns how long Redis has for the next heartbeat. After that another worker may
// be about to execute the same stages.
func (h *heartbeat) untilUnreachable() time.Duration {
	return time.Until(h.lastAccepted().Add(unreachableAfter))
}

// suspended reports whether the worker was suspended, and has had no answer from Redis since. It
// does not know then whether its attempts were replaced: they were not if its coordinator was
// suspended with it, as in one terminal. So it asks before it stops them.
func (h *heartbeat) suspended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unanswered || h.overdue(time.Now())
}

// overdue reports whether a heartbeat should have been sent long ago. It is called with the lock
// held.
func (h *heartbeat) overdue(now time.Time) bool {
	return !h.sent.IsZero() && now.Sub(h.sent) > suspendedAfter
}

// send notes that a heartbeat is being sent, and when.
func (h *heartbeat) send() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()

	// Whether the last heartbeat is overdue must be known before this one replaces its time.
	now := time.Now()
	h.unanswered = h.overdue(now)
	h.sent = now
	return now
}

// answer notes whether the heartbeat that was sent at a time was accepted.
func (h *heartbeat) answer(sent time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	// An error is an answer too: the worker knows then that it is cut off, and no longer has to
	// ask.
	h.unanswered = false
	if err == nil {
		h.accepted = sent
	}
}

// end notes that no heartbeat will be sent any more: none can be overdue.
func (h *heartbeat) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = time.Time{}
}

// sendHeartbeats keeps the worker known, and stops its attempts when it is not any more. It does
// nothing else: what may take long, such as to save logs on a slow link, would delay a heartbeat.
func (w *Worker) sendHeartbeats(ctx context.Context) {
	tick := time.NewTicker(fleet.HeartbeatInterval)
	defer tick.Stop()

	// A separate timer, since a heartbeat that hangs cannot tell that it is late.
	unreachable := time.AfterFunc(w.heartbeat.untilUnreachable(), w.stopIfUnreachable)
	defer unreachable.Stop()
	defer w.heartbeat.end()

	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}

		// Half the time to live leaves room for a second heartbeat before others count the worker
		// as dead.
		bounded, cancel := context.WithTimeout(ctx, fleet.WorkerTTL/2)
		err := w.sendHeartbeat(bounded)
		cancel()

		switch {
		case err == nil:
			unreachable.Reset(w.heartbeat.untilUnreachable())
		case ctx.Err() == nil:
			w.Logger.Warn("heartbeat failed", "error", err)
			// The timer did nothing if the process was suspended: this heartbeat was to tell.
			w.stopIfUnreachable()
		}

		// Controls are polled even after a failed heartbeat: the client for the journal has
		// separate connections, and may reach Redis.
		w.Listen()
	}
}

// sendHeartbeat says that the worker is alive, and what it holds.
func (w *Worker) sendHeartbeat(ctx context.Context) error {
	// From here on, not from the call: what is collected below is as old as that.
	sent := w.heartbeat.send()

	info := w.Info
	info.Unhealthy = w.health.summary()
	info.Delivered = w.server.Delivered()
	info.Holds = make(map[journal.RunID][]journal.AttemptID)
	for _, b := range w.batches.list() {
		info.Busy++
		info.Holds[b.Claim.Run] = append(info.Holds[b.Claim.Run], b.held()...)
	}

	err := w.beats.Heartbeat(ctx, info)
	w.heartbeat.answer(sent, err)
	return err
}

// stopIfUnreachable stops all attempts if Redis has accepted no heartbeat for so long that other
// workers may be about to start them.
func (w *Worker) stopIfUnreachable() {
	if w.heartbeat.untilUnreachable() <= 0 && !w.heartbeat.suspended() {
		w.batches.stopAll(errUnreachable)
	}
}
