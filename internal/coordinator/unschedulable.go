package coordinator

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
)

// ErrNoWorker is the error that a [NoWorkerError] is.
var ErrNoWorker = errors.New("no worker in time")

// NoWorkerError says that stages have waited too long for a worker that can execute them.
type NoWorkerError struct{ fleet.Unschedulable }

// Error says what is missing.
func (e *NoWorkerError) Error() string {
	text := fmt.Sprintf("%v: for %s ", ErrNoWorker, e.For.Round(time.Second/10))
	switch {
	case e.Task != "":
		return text + fmt.Sprintf("no worker had the handler %q that stage %q needs", e.Task, e.Stage)
	case e.Paused != "":
		return text + fmt.Sprintf("queue %q was paused, where stage %q waits: resume it in asynqmon, or delete the key %s in Redis",
			e.Queue, e.Stage, e.Paused)
	case len(e.Unhealthy) > 0:
		return text + fmt.Sprintf("none that listens on queue %q, where stage %q waits, could execute stages: %s",
			e.Queue, e.Stage, e.Unhealthy[0])
	}
	return text + fmt.Sprintf("none listened on queue %q, where stage %q waits", e.Queue, e.Stage)
}

// Unwrap makes errors.Is(err, ErrNoWorker) true.
func (e *NoWorkerError) Unwrap() error { return ErrNoWorker }

// unschedulable finds ready stages that no live worker can execute, and remembers since when. It
// has no clock: callers pass the time.
type unschedulable struct {
	since  map[requirement]time.Time
	paused map[string]string // by queue that is paused: the key in Redis that pauses it
}

func newUnschedulable() *unschedulable {
	return &unschedulable{since: make(map[requirement]time.Time), paused: make(map[string]string)}
}

// setPaused records the key that pauses a queue. An empty key says that it is not paused.
func (u *unschedulable) setPaused(queue, key string) {
	delete(u.paused, queue)
	if key != "" {
		u.paused[queue] = key
	}
}

// backlog is ready stages by what they require of a worker. Without a task, it is the queue that no
// worker serves.
type backlog map[requirement]fleet.Unschedulable

// count adds stages to a backlog, of which the given one is the first.
func (b backlog) count(r requirement, first string, stages int) {
	x := b[r]
	if x.Stages == 0 {
		x.Stage = first
	}
	x.Stages += stages
	b[r] = x
}

// update lists what no live worker can execute although stages wait for it, ordered by queue and
// task.
func (u *unschedulable) update(sc *scheduler, m *fleet.Monitor, now time.Time) []fleet.Unschedulable {
	waiting := u.find(sc, m)
	maps.DeleteFunc(u.since, func(r requirement, _ time.Time) bool { return waiting[r].Stages == 0 })

	var list []fleet.Unschedulable
	for r, x := range waiting {
		since, known := u.since[r]
		if !known {
			since = now
			u.since[r] = now
		}

		x.Queue = r.queue
		x.Task = r.task
		x.For = now.Sub(since)
		if r.task == "" {
			x.Paused = u.paused[r.queue]
		}

		listeners := m.Listeners(r.queue)
		x.KeyMismatch = listeners.KeyMismatch
		x.Unhealthy = listeners.Unhealthy
		x.Listeners = listeners.Versions
		list = append(list, x)
	}

	slices.SortFunc(list, func(a, b fleet.Unschedulable) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Task, b.Task))
	})
	return list
}

// find counts the ready stages whose queue no worker serves, and those whose handler is missing.
func (u *unschedulable) find(sc *scheduler, m *fleet.Monitor) backlog {
	name := sc.stages.state.Name
	served := func(queue string) bool { return m.Slots(queue) > 0 && u.paused[queue] == "" }
	waiting := make(backlog)
	for queue, ready := range sc.ready {
		if ready.Len() > 0 && !served(queue) {
			waiting.count(requirement{queue: queue}, name(ready.peek()), ready.Len())
		}
	}

	// Some stages are always sent, so that a worker which starts later finds them at once.
	for s, a := range sc.inflight.attempts {
		if a.worker == "" && !served(a.batch.queue) {
			waiting.count(requirement{queue: a.batch.queue}, name(s), 1)
		}
	}

	for r, stages := range sc.blocked {
		// Those that were decided meanwhile stay listed until a worker has the handler.
		for _, s := range slices.DeleteFunc(slices.Clone(stages), func(s dag.StageID) bool { return !sc.stages.claimable(s) }) {
			waiting.count(r, name(s), 1)
		}
	}
	return waiting
}
