package worker

import (
	"context"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/retry"
)

// publishHandlers says which handlers this worker has.
func (w *Worker) publishHandlers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fleet.WorkerTTL)
	defer cancel()
	return w.Fleet.PublishHandlers(ctx, w.Registry.Names())
}

// A batch for which a worker has no handler goes to another worker after a pause, which is longer
// each time. After maxHops it is dropped: the coordinator misses it by then, and knows whether any
// worker has the handler.
const (
	firstHop = 50 * time.Millisecond
	maxHops  = 5
)

// rejectUnknownTasks requeues the attempts for which this worker has no handler. None of them is
// claimed yet. It reports whether the batch is empty then.
func (b *batch) rejectUnknownTasks(ctx context.Context) (empty bool, err error) {
	requeue, empty := b.machine.Reject(func(s dag.StageID) bool { return !b.HasHandler(s) })
	if len(requeue) == 0 || b.task.Hops >= maxHops {
		return empty, nil
	}

	if empty {
		// Without a pause two workers that both lack the handler would exchange the task as fast as
		// Redis allows. Other batches need not wait for the pause.
		b.freeSlot()
		retry.Sleep(b.worker.abort, firstHop<<b.task.Hops)
	}

	return empty, b.requeue(ctx, requeue, b.task.Hops+1)
}
