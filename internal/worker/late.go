package worker

import (
	"context"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
)

// impatient sees whether an attempt takes longer than expected. Nothing else should wait for it.
func (b *bundle) impatient(ctx context.Context) {
	e := b.late()
	if e == nil {
		return
	}
	if err := b.step(ctx, nil); err != nil {
		return // said already, and met again by whoever steps next
	}
	if !e.within(passOnAfter) {
		return
	}

	if err := b.passOn(ctx); err != nil {
		b.worker.Logger.Warn("cannot pass on stages, they wait behind a long one", "run", b.claim.Run, "error", err)
	}

	if !e.within(handBackAfter) {
		return
	}

	b.mu.Lock()
	if b.current == e {
		b.abandon(errBehind, b.fusedFrom(0)) // the first ones come after this attempt anyway
	}

	b.mu.Unlock()
	_ = b.step(ctx, nil) // as above
}

// late returns the current attempt if it is late. If it may become so, patience goes on.
func (b *bundle) late() *execution {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current != nil {
		if left := flushAfter - time.Since(b.current.begin); left > 0 {
			b.patience.Reset(left)
			return nil
		}
	}

	b.watched = false
	return b.current
}

// passOn gives back to the queue what is not claimed and does not come after something unfinished
// that stays here.
func (b *bundle) passOn(ctx context.Context) error {
	task := queue.Batch{Run: string(b.claim.Run), Pipeline: b.loaded.spec.Name, Incarnation: b.origin.Incarnation, Digest: b.claim.Digest, After: b.claim.After, Queue: b.queue}
	b.mu.Lock()
	var stay []journal.AttemptID
	var gone []due
	for _, a := range b.waiting {
		if b.depends(a.Stage, gone) == dropped {
			stay = append(stay, a)
			continue
		}
		gone = append(gone, due{AttemptID: a})
		task.Items = append(task.Items, b.item(a))
	}

	b.waiting = stay
	b.mu.Unlock()
	if len(task.Items) == 0 {
		return nil
	}

	return b.worker.Queue.PassOn(ctx, task, b.name(task.Items[0].Stage))
}
