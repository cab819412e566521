package faults

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/godags/godags/internal/fleet"
)

// tooLong is for how long Redis does not hear of a worker that lives, on a machine that is too busy
// or for a moment stands still. A worker stops its stages after 2.75 s without an answer, and is
// dead after 3 s.
const tooLong = 2400 * time.Millisecond

// heard is the time of the last heartbeat of a worker.
type heard struct {
	at      time.Time
	counted bool // the silence since then
}

// listen counts, until the test ends, how often Redis does not hear of a worker for too long,
// although no test has killed it. A worker with heartbeats must not lose a stage; one that is not
// may: where a test itself does nothing to the workers, that is a fault of the machine.
func (w *world) listen() (silences func() int) {
	ctx, stop := context.WithCancel(context.Background())
	n, last, members := 0, make(map[string]*heard), fleet.New(w.rdb)
	var mu sync.Mutex
	var listener sync.WaitGroup
	listener.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			if workers, err := members.Workers(ctx); err == nil { // Redis may be away
				mu.Lock()
				n += silent(workers, last)
				mu.Unlock()
			}
		}
	})
	w.t.Cleanup(func() {
		stop()
		listener.Wait()
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// heartbeat waits until Redis has just got a heartbeat of a worker, and the worker knows it.
func (w *world) heartbeat(p *process) {
	w.t.Helper()
	id, members := p.id(), fleet.New(w.rdb)
	w.await("a heartbeat of "+id, func() bool {
		workers, err := members.Workers(w.t.Context())
		w.must(err)
		return slices.ContainsFunc(workers, func(one fleet.Worker) bool {
			return one.ID == id && one.Age > 30*time.Millisecond && one.Age < 200*time.Millisecond
		})
	})
}

// silent returns how many silences have become too long since the last look.
func silent(workers []fleet.Worker, last map[string]*heard) (n int) {
	for _, one := range workers {
		at, h := time.Now().Add(-one.Age), last[one.ID]
		if h == nil {
			h = &heard{at: at}
			last[one.ID] = h
		}
		lives := syscall.Kill(one.PID, 0) == nil
		if (one.Age > tooLong && lives || at.Sub(h.at) > tooLong) && !h.counted {
			n++
			h.counted = true
		}
		if at.Sub(h.at) > fleet.HeartbeatInterval/2 {
			*h = heard{at: at}
		}
	}
	return n
}
