package coordinator

import (
	"slices"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
)

// workers is what a driver knows of the workers.
type workers struct {
	buried map[string]bool // known to have died, and nothing is lost with them yet
	alive  map[string]bool
	beats  map[string]time.Time // when a worker was last heard of, by our clock
	holds  map[string]holding   // what live workers say that they have
	// that live workers have taken, and claimed nothing of; and what those begin with that were
	// passed on
	tasks   map[string]bool
	slots   map[string]int      // by queue, of live workers
	strange map[string][]string // by queue, live workers with another key
	looked  time.Time           // when the list was last seen
	inTouch time.Time           // since when it is seen without a gap
	// what no live worker can execute although stages wait for it, and since when
	unserved map[need]time.Time
	crews    *fleet.Capabilities
	listen   map[string][]string // by queue, live workers and their versions
	unwell   map[string][]string // by queue, live workers that cannot execute stages, and why
}

func newWorkers() workers {
	return workers{buried: make(map[string]bool), beats: make(map[string]time.Time), unserved: make(map[need]time.Time)}
}

func (w *workers) update(list []fleet.Worker, run journal.RunID, key string, now time.Time) {
	if now.Sub(w.looked) > confirmAfter {
		w.inTouch = now
	}

	w.looked = now
	w.holds = make(map[string]holding)
	w.tasks = make(map[string]bool)
	w.alive = make(map[string]bool)
	w.slots = make(map[string]int)
	w.strange = make(map[string][]string)
	w.listen = make(map[string][]string)
	w.unwell = make(map[string][]string)
	for _, info := range list {
		if at := now.Add(-info.Age); at.After(w.beats[info.ID]) {
			w.beats[info.ID] = at
		}

		if !info.Alive() {
			continue
		}

		w.alive[info.ID] = true
		for _, id := range info.Delivered {
			w.tasks[id], w.tasks[queue.PassedOn(id)] = true, true
		}

		if info.Holds != nil {
			w.holds[info.ID] = holding{info.Holds[run], info.Age}
		}

		if !info.Serves(run) {
			continue
		}

		for _, q := range info.Queues {
			if info.Key != key {
				w.strange[q] = append(w.strange[q], info.ID)
				continue
			}

			if info.Unhealthy != "" {
				w.unwell[q] = append(w.unwell[q], info.ID+": "+info.Unhealthy)
				continue
			}

			w.listen[q] = append(w.listen[q], info.ID+" ("+info.Version+")")
			if info.Reads() {
				w.slots[q] += info.Slots
			}
		}
	}
}

// confirmAfter is how long Redis must have answered before silence is believed: when it comes back
// after an outage every worker seems dead until its next heartbeat.
const confirmAfter = 2 * fleet.HeartbeatInterval

// silentAfter is how long a worker must not have been heard of by our clock, which is not asked how
// long it is exactly: that of Redis may jump.
const silentAfter = fleet.WorkerTTL - fleet.HeartbeatInterval

// dead reports whether the worker with a claim is gone for good.
func (w *workers) dead(id string, now time.Time) bool {
	return !w.alive[id] && now.Sub(w.inTouch) >= confirmAfter && now.Sub(w.beats[id]) >= silentAfter
}

// holding is what a worker has of the run, as it said some time ago.
type holding struct {
	attempts []journal.AttemptID
	age      time.Duration
}

// settledAfter is how long after a claim its worker is expected to know of it, however often the
// answer got lost.
const settledAfter = 3 * time.Second

// lacks reports whether a live worker does not have an attempt that it has claimed: it has reported
// how that ended, and Redis has lost the report.
func (w *workers) lacks(a journal.AttemptID, f *flight, now time.Time) bool {
	h, ok := w.holds[f.worker]
	return ok && now.Add(-h.age).Sub(f.claimed) > settledAfter && !slices.Contains(h.attempts, a)
}

// loseTouch is for when Redis cannot be reached: nothing is known then.
func (w *workers) loseTouch() { w.looked = time.Time{} }
