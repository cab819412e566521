package worker

import (
	"context"
	"slices"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
)

// publish says which handlers this worker has.
func (w *Worker) publish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fleet.WorkerTTL)
	defer cancel()
	return w.Fleet.PublishHandlers(ctx, w.Registry.Names())
}

// A bundle that nobody here can execute goes on to another worker after a pause, which is longer
// each time. After maxHops it is dropped: the coordinator, which misses it by then, knows better
// whether there is a worker for it.
const (
	firstHop = 50 * time.Millisecond
	maxHops  = 5
)

// giveBack hands on the attempts of a bundle for which this worker has no handler: none of them is
// claimed yet. Done says that nothing is left. What comes after one of them in the bundle is left
// to the coordinator, as if that one had failed.
func (b *bundle) giveBack(ctx context.Context, hops int) (done bool, err error) {
	foreign := b.foreign()
	if len(foreign) == 0 {
		return false, nil
	}

	free := slices.DeleteFunc(slices.Clone(foreign), func(a journal.AttemptID) bool { return b.depends(a.Stage, nil) != now })
	b.waiting = slices.DeleteFunc(b.waiting, func(a journal.AttemptID) bool { return slices.Contains(foreign, a) })
	done = len(b.waiting) == 0
	if len(free) == 0 || hops >= maxHops {
		return done, nil
	}

	if done {
		b.executed() // others need not wait with us
		b.worker.pause(firstHop << hops)
	}

	task := queue.Batch{Run: string(b.claim.Run), Pipeline: b.loaded.spec.Name, Incarnation: b.origin.Incarnation, Digest: b.claim.Digest, After: b.claim.After, Queue: b.queue, Hops: hops + 1}
	for _, a := range free {
		task.Items = append(task.Items, b.item(a))
	}
	return done, b.worker.Queue.PassOn(ctx, task, b.name(task.Items[0].Stage))
}

// foreign returns the attempts for which this worker has no handler.
func (b *bundle) foreign() (list []journal.AttemptID) {
	for _, a := range b.waiting {
		if task := b.loaded.spec.Kind(b.graphStage(a.Stage)).Task; task != "" && !b.worker.Registry.Has(task) {
			list = append(list, a)
		}
	}
	return list
}

// pause waits, unless the worker was told to stop at once.
func (w *Worker) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.abort.Done():
	}
}
