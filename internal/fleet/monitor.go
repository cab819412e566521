package fleet

import (
	"slices"
	"time"

	"github.com/godags/godags/internal/journal"
)

// A worker counts as dead once all three times have passed:
//
//	its last heartbeat |------------ WorkerTTL 3 s ----------->|  clock of Redis
//	its last heartbeat |------- silentAfter 2.5 s ------>|        clock of this process
//	              Redis answers again |- confirmAfter 1 s ->|     clock of this process
//
// A worker that is alive has forgotten an attempt if a heartbeat does not list it although it was
// claimed settledAfter before that heartbeat.
const (
	// confirmAfter is how long Redis must have answered before a missing heartbeat counts. After an
	// outage, every worker seems dead until its next heartbeat.
	confirmAfter = 2 * HeartbeatInterval

	// silentAfter is the age of a heartbeat, by the clock of this process, before which no worker
	// counts as dead. [WorkerTTL] is measured by the clock of Redis, which may jump. This clock
	// learns of a heartbeat up to one interval late, so it waits for one interval less.
	silentAfter = WorkerTTL - HeartbeatInterval

	// settledAfter is how long after a claim the worker is expected to know of the claim, even if
	// the first replies of Redis were lost.
	settledAfter = 3 * time.Second
)

// Monitor follows the workers of one run from one listing to the next. It has no clock: callers
// pass the time. It is not safe for concurrent use.
type Monitor struct {
	run journal.RunID
	key string // fingerprint of the key that signed the run

	updated   time.Time            // of the last listing; zero if Redis was unreachable since
	reachable time.Time            // start of the current series of listings without a gap
	seen      map[string]time.Time // last heartbeat by worker ID, by the clock of this process

	// These are made new by each listing, of live workers only.
	alive     map[string]bool
	holds     map[string]holding
	delivered []string
	queues    map[string]*Listeners

	capabilities *Capabilities
}

// Listeners are the live workers that listen on a queue and serve the run.
type Listeners struct {
	Slots       int      // of those that can execute the stages of the run
	Versions    []string // IDs and versions of the healthy workers with the key of the run
	Unhealthy   []string // IDs of workers that cannot execute stages, and the reasons
	KeyMismatch []string // IDs of workers with another key
}

// holding is the attempts of the run that a worker listed in a heartbeat of some age.
type holding struct {
	attempts []journal.AttemptID
	age      time.Duration
}

// NewMonitor returns a monitor that knows no worker.
func NewMonitor(run journal.RunID, key string) *Monitor {
	return &Monitor{run: run, key: key, seen: make(map[string]time.Time)}
}

// Update takes in a listing of the workers, live and dead, and their capabilities.
func (m *Monitor) Update(workers []Worker, c *Capabilities, now time.Time) {
	// A gap between listings means that Redis was unreachable, or this process was paused. Either
	// way, heartbeats were missed here that workers have sent.
	if now.Sub(m.updated) > confirmAfter {
		m.reachable = now
	}

	m.updated = now
	m.capabilities = c
	m.alive = make(map[string]bool)
	m.holds = make(map[string]holding)
	m.delivered = m.delivered[:0]
	m.queues = make(map[string]*Listeners)
	for _, w := range workers {
		// Only forward: when the clock of Redis jumps ahead, all ages grow at once, and live
		// workers would seem silent.
		if at := now.Add(-w.Age); at.After(m.seen[w.ID]) {
			m.seen[w.ID] = at
		}
		if !w.Alive() {
			continue
		}

		m.alive[w.ID] = true
		m.delivered = append(m.delivered, w.Delivered...)

		// A worker of a version that does not list its claims cannot be said to lack one.
		if w.Holds != nil {
			m.holds[w.ID] = holding{w.Holds[m.run], w.Age}
		}

		if w.Serves(m.run) {
			m.listen(w)
		}
	}
}

// listen adds a worker to the listeners of its queues.
func (m *Monitor) listen(w Worker) {
	for _, q := range w.Queues {
		l := m.queues[q]
		if l == nil {
			l = new(Listeners)
			m.queues[q] = l
		}

		switch {
		case w.Key != m.key:
			// It would reject every task of the run.
			l.KeyMismatch = append(l.KeyMismatch, w.ID)
		case w.Unhealthy != "":
			l.Unhealthy = append(l.Unhealthy, w.ID+": "+w.Unhealthy)
		default:
			l.Versions = append(l.Versions, w.ID+" ("+w.Version+")")
			if w.Reads() {
				l.Slots += w.Slots
			}
		}
	}
}

// Unreachable notes that Redis could not be reached: the next listings do not count at once.
func (m *Monitor) Unreachable() { m.updated = time.Time{} }

// Dead reports whether a worker is dead, by the clocks of Redis and of this process.
func (m *Monitor) Dead(worker string, now time.Time) bool {
	// Both clocks must agree, since each of them may jump. A worker that is declared dead by
	// mistake has its attempts executed twice.
	return !m.alive[worker] && now.Sub(m.reachable) >= confirmAfter && now.Sub(m.seen[worker]) >= silentAfter
}

// Lacks reports whether a live worker does not hold an attempt that it claimed. Then the
// worker has reported the outcome, and Redis has lost the report.
func (m *Monitor) Lacks(worker string, a journal.AttemptID, claimed, now time.Time) bool {
	// The heartbeat must be younger than the claim by some time: it may have been written before
	// the worker learned that its claim was granted.
	h, ok := m.holds[worker]
	return ok && now.Add(-h.age).Sub(claimed) > settledAfter && !slices.Contains(h.attempts, a)
}

// Delivered lists the IDs of tasks that live workers have taken, and of which they have claimed
// nothing yet. The caller must not keep it beyond the next update.
func (m *Monitor) Delivered() []string { return m.delivered }

// Listeners returns the live workers that listen on a queue.
func (m *Monitor) Listeners(queue string) Listeners {
	if l := m.queues[queue]; l != nil {
		return *l
	}
	return Listeners{}
}

// Slots returns how many stages the live workers of a queue can execute at once.
func (m *Monitor) Slots(queue string) int {
	if l := m.queues[queue]; l != nil {
		return l.Slots
	}
	return 0
}

// Lack reports whether able workers listen on the queue, and none of them has a handler for the
// task.
func (m *Monitor) Lack(queue, task string) bool {
	return m.capabilities != nil && m.capabilities.Lack(queue, task)
}

// Capabilities returns those of the last update, or nil.
func (m *Monitor) Capabilities() *Capabilities { return m.capabilities }
