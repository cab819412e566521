package worker

import (
	"context"
	"maps"
	"slices"

	"github.com/godags/godags/internal/journal"
)

// stop ends the current attempt and begins no other.
func (b *bundle) stop(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halt = cause
	if b.current != nil {
		b.current.stop(cause)
	}
}

// obey asks what should become of the attempts that are claimed, and saves what the current one has
// printed.
func (b *bundle) obey(ctx context.Context) error {
	b.mu.Lock()
	e := b.current
	if e != nil && e.unclaimed {
		e = nil // the journal does not know of it
	}

	var attempts []journal.AttemptID
	if e != nil {
		attempts = append(attempts, e.AttemptID)
	}

	for _, a := range b.due {
		if !a.fused {
			attempts = append(attempts, a.AttemptID)
		}
	}

	b.mu.Unlock()
	if len(attempts) == 0 {
		return nil
	}

	orders, err := b.worker.Journal.Check(ctx, b.claim.Run, b.claim.Token, attempts)
	if err != nil {
		return err
	}

	for i, order := range orders {
		switch order {
		case journal.Stop:
			if !b.cleansUp(attempts[i].Stage) {
				b.stop(errCancelled)
			}
		case journal.Yield:
			b.yield(attempts[i])
		}
	}

	if e == nil {
		return nil
	}

	return e.saveLog(ctx)
}

// yield gives up an attempt that the run does not wait for any more.
func (b *bundle) yield(a journal.AttemptID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current != nil && b.current.AttemptID == a {
		b.current.revoke()
	}

	b.due = slices.DeleteFunc(b.due, func(d due) bool { return d.AttemptID == a && !d.fused })
	if b.current == nil || b.current.AttemptID != a {
		delete(b.holds, a)
	}
}

func (e *execution) saveLog(ctx context.Context) error {
	size := e.log.Len()
	if size == e.saved {
		return nil
	}
	if err := e.bundle.worker.Journal.SaveLog(ctx, e.bundle.claim.Run, e.bundle.claim.Token, e.AttemptID, e.log.Bytes()); err != nil {
		return err
	}

	e.saved = size
	return nil
}

// holding returns the attempts that are claimed, and not reported.
func (b *bundle) holding() []journal.AttemptID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.holds))
}

// Executing returns the names of the stages that are being executed.
func (w *Worker) Executing() (names []string) {
	for _, b := range w.bundles() {
		b.mu.Lock()
		if b.current != nil {
			names = append(names, b.current.name())
		}
		b.mu.Unlock()
	}
	return names
}
