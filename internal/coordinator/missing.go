package coordinator

import (
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/queue"
)

// search finds out what became of batches that no worker has claimed. A user may have deleted a
// task in asynqmon, or Redis may have lost it.
type search struct {
	queue         Queue
	inflight      *inFlight
	tasks         *tasks
	unschedulable *unschedulable
}

// findMissing returns the overdue batches that are neither in their queue nor with a live worker.
// Workers say which tasks were delivered to them.
func (f *search) findMissing(deliveries []string, now time.Time) ([]*batch, error) {
	delivered := make(map[string]bool)
	for _, id := range deliveries {
		// A task that a worker requeued has another ID, which begins with its first attempt.
		delivered[id] = true
		delivered[queue.RequeuedAttempt(id)] = true
	}

	var list []*batch
	requeued := make(map[string]map[string]bool)
	for _, b := range f.inflight.overdue(now) {
		if delivered[b.id] || f.leads(b, delivered) {
			continue // it stays overdue, since its worker may die
		}

		pending, err := f.pending(b, requeued)
		if err != nil {
			return nil, err
		}
		if !pending {
			if b.isMissing(now) {
				list = append(list, b)
			}
			continue
		}

		// It waits. Either its queue is long, or nothing takes tasks from it.
		b.active = now
		key, err := f.queue.Paused(b.queue)
		if err != nil {
			return nil, err
		}
		f.unschedulable.setPaused(b.queue, key)
	}
	return list, nil
}

// pending reports whether a batch, or the rest of it that a worker requeued, is in its queue.
// requeued caches the second answer by queue, since it takes a scan of the queue.
func (f *search) pending(b *batch, requeued map[string]map[string]bool) (bool, error) {
	pending, err := f.queue.Pending(b.queue, b.id)
	if pending || err != nil {
		return pending, err
	}

	if requeued[b.queue] == nil {
		if requeued[b.queue], err = f.queue.RequeuedAttempts(b.queue); err != nil {
			return false, err
		}
	}
	return f.leads(b, requeued[b.queue]), nil
}

// leads reports whether one of the task IDs begins with an unclaimed attempt of a batch.
func (f *search) leads(b *batch, ids map[string]bool) bool {
	return slices.ContainsFunc(f.inflight.unclaimed(b), func(s dag.StageID) bool {
		return ids[f.tasks.attemptID(s, f.inflight.attempts[s].number)]
	})
}
