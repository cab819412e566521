package faults

import (
	"fmt"
	"testing"
	"time"
)

// roll replaces three workers again and again while one run follows the other: so many runs at
// least, and for so long at least.
func roll(t *testing.T, runs int, least time.Duration) {
	w := newWorld(t)
	workers := w.crew(3)
	stages := busy(3, 4)
	begin, replaced, n := time.Now(), 0, 0
	for ; n < runs || time.Since(begin) < least; n++ {
		run := w.runAs(fmt.Sprintf("%s-%d", w.id, n), w.redis.URL(), stages)
		for !run.ended() {
			i := replaced % len(workers)
			workers[i].signal(sigterm)
			<-workers[i].done
			workers[i] = w.worker()
			replaced++
		}
		run.succeeds(0, quickly)
		run.lost(0) // a worker that drains loses nothing
		if t.Failed() {
			return
		}
	}
	t.Attr("rolling", fmt.Sprintf("%d runs, %d workers replaced", n, replaced))
}
