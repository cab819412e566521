package faults

import (
	"fmt"
	"testing"
	"time"
)

// roll replaces three workers again and again while one run follows the other: so many runs at least, and for so long at least.
func roll(t *testing.T, runs int, least time.Duration) {
	w := newWorld(t)
	var workers [3]*process
	for i := range workers {
		workers[i] = w.worker(w.redis.URL())
	}
	stages := busy(3, 4)
	begin, replaced, n := time.Now(), 0, 0
	for ; n < runs || time.Since(begin) < least; n++ {
		id := fmt.Sprintf("%s-%d", w.id, n)
		run := w.run(w.redis.URL(), id, stages)
		for !run.ended() {
			i := replaced % len(workers)
			workers[i].signal(sigterm)
			<-workers[i].done
			workers[i] = w.worker(w.redis.URL())
			replaced++
		}
		w.exits(run, 0)
		if trial := w.check(id, stages, 0, quickly); lost(trial.Events) > 0 {
			t.Errorf("%s: a worker that drains has lost a stage", id)
		}
		if t.Failed() {
			return
		}
	}
	t.Attr("rolling", fmt.Sprintf("%d runs, %d workers replaced", n, replaced))
}
