package faults

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godags/godags/internal/journal"
)

// heard is when a worker was last heard of.
type heard struct {
	at      time.Time
	counted bool // the silence since then
}

// silences counts until the returned function is called how often Redis does not hear of a worker for longer than a time. A worker that is
// heard of must not lose a stage; one that is not, since the machine is so busy, may.
func (w *world) silences(longer time.Duration) (end func() int) {
	ctx, stop := context.WithCancel(w.t.Context())
	n, last, j := 0, make(map[string]*heard), journal.New(w.rdb)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			workers, err := j.Workers(context.Background())
			if err != nil {
				w.t.Error(err)
			}
			n += silent(workers, last, longer)
		}
	})
	end = sync.OnceValue(func() int {
		stop()
		watcher.Wait()
		if n > 0 {
			w.t.Attr("silence", fmt.Sprintf("%d times a worker was not heard of for more than %s", n, longer))
		}
		return n
	})
	w.t.Cleanup(func() { end() })
	return end
}

// silent returns how many silences have become too long since the last look.
func silent(workers []journal.WorkerInfo, last map[string]*heard, longer time.Duration) (n int) {
	for _, one := range workers {
		at, h := time.Now().Add(-one.Age), last[one.ID]
		if h == nil {
			h = &heard{at: at}
			last[one.ID] = h
		}
		if (one.Age > longer || at.Sub(h.at) > longer) && !h.counted {
			n++
			h.counted = true
		}
		if at.Sub(h.at) > journal.BeatEvery/2 {
			*h = heard{at: at}
		}
	}
	return n
}
