package worker

import (
	"maps"
	"slices"
	"sync"
)

// batches are the batches that a worker holds. It is safe for concurrent use.
type batches struct {
	mu   sync.Mutex
	held map[*batch]struct{}
}

func (l *batches) add(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = make(map[*batch]struct{})
	}
	l.held[b] = struct{}{}
}

func (l *batches) remove(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, b)
}

func (l *batches) list() []*batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.held))
}

// stopAll stops all attempts, and lets no other start.
func (l *batches) stopAll(cause error) {
	for _, b := range l.list() {
		b.stop(cause)
	}
}
