package coordinator

import (
	"container/heap"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// timers is what a coordinator does at a time that follows from the journal, by the clock of Redis:
// another coordinator would do it at the same time. It has no clock: callers pass the time of their
// own clock, and measurements of the clock of Redis.
//
// A stage pauses before its next attempt: for the back-off of its retries after a failure, or for
// the pause after a loss (see [losses]). Both are timers.
//
// The clock of Redis may jump. No timer fires early because that clock was ahead for some seconds.
// None waits longer than its full wait because an entry has a time in the future.
type timers struct {
	offsets []time.Duration // how far the clock of Redis was ahead, newest last
	ahead   time.Duration   // the least of the offsets
	pauses  pauses
	waiting map[dag.StageID]dag.Attempt // attempts with a pause
	limit   time.Time                   // end of the run's time limit; zero for none
	length  time.Duration               // of the run's time limit
	always  bool                        // the pipeline has retries or a time limit
}

// pause is the wait before an attempt may start.
type pause struct {
	until   time.Time // by the clock of Redis
	wait    time.Duration
	stage   dag.StageID
	attempt dag.Attempt
}

// offsetsKept is the number of measurements, two a second, of which the least counts. A clock that
// is ahead for less than ten seconds has no effect. One that is set back counts at once.
const offsetsKept = 20

// newTimers returns the timers of a run of the pipeline.
func newTimers(sp *spec.Spec) *timers {
	retries := slices.ContainsFunc(sp.Kinds(), func(k spec.Kind) bool { return k.Retries > 0 })
	return &timers{waiting: make(map[dag.StageID]dag.Attempt), always: retries || sp.Timeout > 0}
}

// needed reports whether the clock of Redis should be measured: a timer is set, or may be set soon.
func (t *timers) needed() bool { return t.always || len(t.pauses) > 0 }

// learn takes in a measurement of how far the clock of Redis is ahead, at a time of our clock.
func (t *timers) learn(now time.Time, offset time.Duration) {
	t.offsets = append(t.offsets, offset)
	if n := len(t.offsets) - offsetsKept; n > 0 {
		t.offsets = slices.Delete(t.offsets, 0, n)
	}
	t.ahead = slices.Min(t.offsets)

	// A wait that began while the clock of Redis was ahead would otherwise last that much longer.
	now = now.Add(t.ahead)
	for i := range t.pauses {
		p := &t.pauses[i]
		if latest := now.Add(p.wait); p.until.After(latest) {
			p.until = latest
		}
	}
	heap.Init(&t.pauses)

	if latest := now.Add(t.length); t.limit.After(latest) {
		t.limit = latest
	}
}

// pause lets an attempt wait from a time by the clock of Redis.
func (t *timers) pause(s dag.StageID, a dag.Attempt, from time.Time, wait time.Duration) {
	t.waiting[s] = a
	heap.Push(&t.pauses, pause{from.Add(wait), wait, s, a})
}

// pausing reports whether an attempt still has to wait.
func (t *timers) pausing(s dag.StageID, a dag.Attempt) bool {
	waits, ok := t.waiting[s]
	return ok && waits == a
}

// setLimit starts the time limit of the run at a time by the clock of Redis.
func (t *timers) setLimit(from time.Time, length time.Duration) {
	t.limit = from.Add(length)
	t.length = length
}

// reset forgets all pauses: in a reopened run, no stage waits for a time before it was reopened.
func (t *timers) reset() {
	t.pauses = nil
	clear(t.waiting)
}

// clearLimit ends the time limit of the run.
func (t *timers) clearLimit() { t.limit = time.Time{} }

// fire returns the stages whose pause is over, and whether the time limit of the run is. Each
// timer fires once.
func (t *timers) fire(now time.Time) (due []dag.StageID, overLimit bool) {
	now = now.Add(t.ahead)
	for len(t.pauses) > 0 && !t.pauses[0].until.After(now) {
		p := heap.Pop(&t.pauses).(pause)

		// A later attempt has another pause.
		if t.pausing(p.stage, p.attempt) {
			delete(t.waiting, p.stage)
			due = append(due, p.stage)
		}
	}

	if !t.limit.IsZero() && !t.limit.After(now) {
		t.clearLimit()
		return due, true
	}
	return due, false
}

// nextFire returns the time of our clock at which the next timer fires; false if there is none.
func (t *timers) nextFire() (time.Time, bool) {
	next := t.limit
	if len(t.pauses) > 0 && (next.IsZero() || t.pauses[0].until.Before(next)) {
		next = t.pauses[0].until
	}
	return next.Add(-t.ahead), !next.IsZero()
}

// pauses is a [heap.Interface]: the pause that is over first comes first.
type pauses []pause

func (p pauses) Len() int           { return len(p) }
func (p pauses) Less(i, j int) bool { return p[i].until.Before(p[j].until) }
func (p pauses) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pauses) Push(x any)        { *p = append(*p, x.(pause)) }
func (p *pauses) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	*p = (*p)[:last]
	return x
}
