package worker

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/worker/delivery"
)

// Listen lets the worker ask at once what becomes of its attempts, rather than after its next
// heartbeat.
func (w *Worker) Listen() {
	select {
	case w.poll <- struct{}{}:
	default: // it is about to ask
	}
}

// pollControls asks after each heartbeat what becomes of the worker's attempts. It also keeps the
// worker's handlers known.
//
// If the program has closed the client although a handler does not return, pollControls stops that
// attempt and calls stopBeats.
func (w *Worker) pollControls(ctx context.Context, stopBeats context.CancelFunc) {
	publish := time.NewTicker(fleet.PublishInterval)
	defer publish.Stop()
	for {
		select {
		case <-w.poll:
		case <-publish.C:
			if err := w.publishHandlers(ctx); err != nil && ctx.Err() == nil {
				w.Logger.Warn("cannot publish the handlers of this worker", "error", err)
			}
			continue
		case <-ctx.Done():
			return
		}

		bounded, cancel := context.WithTimeout(ctx, fleet.WorkerTTL/2)
		err := w.pollBatches(bounded)
		cancel()
		if errors.Is(err, redis.ErrClosed) {
			// A worker inside a program may be abandoned with a handler that never returns. It must
			// not log a failed heartbeat twice a second from then on.
			stopBeats()
			w.batches.stopAll(errUnreachable)
			return
		}
	}
}

// pollBatches asks for the controls of all attempts that the worker has claimed. It returns an
// error only if the client is closed.
func (w *Worker) pollBatches(ctx context.Context) error {
	for _, b := range w.batches.list() {
		err := b.pollControl(ctx)
		if errors.Is(err, redis.ErrClosed) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			w.Logger.Warn("cannot read the controls of attempts", "run", b.Claim.Run, "error", err)
		}
	}

	return nil
}

// pollControl asks what becomes of the attempts that are claimed.
func (b *batch) pollControl(ctx context.Context) error {
	b.mu.Lock()
	attempts := b.machine.Claimed()
	b.mu.Unlock()
	if len(attempts) == 0 {
		return nil
	}

	controls, err := b.Journal.Check(ctx, b.Claim.Run, b.Claim.Token, attempts)
	if err != nil {
		return err
	}

	for i, control := range controls {
		switch control {
		case journal.Stop:
			// A stage that cleans up travels alone, so this does not spare another attempt.
			if !b.CleansUp(attempts[i].Stage) {
				b.stop(delivery.ErrCancelled)
			}
		case journal.Revoked:
			b.Revoke(attempts[i])
		}
	}

	return nil
}
