package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godags/godags/internal/retry"
	"github.com/godags/godags/internal/worker/execution"
)

// health is whether a worker can execute stages. One that cannot, because its folder for workspaces
// is gone, or its disk, descriptors or processes are used up, would fail every stage that it takes,
// faster than any other worker executes one.
type health struct {
	check  func() error  // returns why no stage can be executed
	failed chan struct{} // holds an element when there is an error to recover from

	mu       sync.Mutex
	err      error // why it cannot; nil if it can
	failures int   // in a row, without a stage that was executed in between
}

func newHealth(check func() error) *health {
	return &health{check: check, failed: make(chan struct{}, 1)}
}

var _ execution.Health = (*health)(nil)

// Check implements [execution.Health].
func (h *health) Check() error { return h.check() }

// why returns why the worker cannot execute stages; nil if it can.
func (h *health) why() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// Fail implements [execution.Health].
func (h *health) Fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()

	// Attempts in other slots meet the same fault. One fault is one failure, so that the pauses do
	// not depend on the number of slots.
	if h.err != nil {
		return
	}

	h.err = err
	h.failures++
	select {
	case h.failed <- struct{}{}:
	default:
	}
}

// recover notes that the worker can execute stages again, as far as it can find out by itself.
func (h *health) recover() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = nil
}

// Executed implements [execution.Health].
func (h *health) Executed() {
	h.mu.Lock()
	defer h.mu.Unlock()

	// A stage that began before the fault may still succeed, which says nothing about new ones.
	if h.err == nil {
		h.failures = 0
	}
}

// Delays before a worker that cannot execute stages checks whether it can: twice as long each time.
const (
	firstCheck = time.Second
	lastCheck  = time.Minute
)

// pause returns how long to wait for the first check. It is longer if the last recovery was none: a
// check needs less than a stage may.
func (h *health) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(lastCheck, firstCheck<<min(h.failures-1, 10))
}

// summary returns what a heartbeat says of the worker's health.
func (h *health) summary() string {
	if err := h.why(); err != nil {
		return fmt.Sprintf("%.300s", err)
	}
	return ""
}

// monitorHealth takes no stages while the worker cannot execute any, until ctx is done.
func (w *Worker) monitorHealth(ctx context.Context) {
	for {
		select {
		case <-w.health.failed:
		case <-ctx.Done():
			return
		}

		// The server is held, not stopped: batches that were delivered are still reported and
		// requeued.
		w.server.Hold(true)
		begin := time.Now()
		w.Logger.Error("this worker cannot execute stages: it takes none until it can",
			"worker", w.Info.ID, "error", w.health.why())

		// The fault was met a moment ago, so the first check waits as well. It waits longer if the
		// last check passed and the next stage met the fault again.
		pause := w.health.pause()
		if !retry.Sleep(ctx, pause) {
			return
		}

		err := retry.Do(ctx, retry.Policy{
			Backoff: retry.Backoff{First: min(lastCheck, 2*pause), Max: lastCheck},
			Failed: func(err error) {
				w.Logger.Warn("this worker still cannot execute stages",
					"worker", w.Info.ID, "for", time.Since(begin).Round(time.Second), "error", err)
			},
		}, w.health.Check)
		if err != nil {
			return // ctx is done
		}

		w.health.recover()
		w.server.Hold(false)
		w.Logger.Warn("this worker executes stages again",
			"worker", w.Info.ID, "after", time.Since(begin).Round(time.Second))
	}
}
