package coordinator

import (
	"container/heap"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// timers are what a driver does at a time that follows from the journal, by the clock of Redis:
// another coordinator would do it then too. The clock of Redis may jump. No timer fires early
// because it was ahead for some seconds, and none waits longer than its full wait because an entry
// has a time that is in the future since.
type timers struct {
	offsets []time.Duration // how far the clock of Redis was ahead of ours, newest last
	ahead   time.Duration   // the least of the offsets
	pending []pause         // a heap
	limit   time.Time       // when the run's time is over; zero for never
	whole   time.Duration   // the time limit of the run
	timer   *time.Timer     // of the next of these
}

// offsetsKept is the number of measurements, two a second, of which the least counts: a clock that
// is ahead for less than ten seconds is not believed, one that is set back is believed at once.
const offsetsKept = 20

// learn takes in a measurement of the clock of Redis, at a time of ours.
func (t *timers) learn(now time.Time, offset time.Duration) {
	t.offsets = append(t.offsets, offset)
	if n := len(t.offsets) - offsetsKept; n > 0 {
		t.offsets = slices.Delete(t.offsets, 0, n)
	}

	t.ahead = slices.Min(t.offsets)

	now = now.Add(t.ahead)
	for i := range t.pending {
		p := &t.pending[i]
		if latest := now.Add(p.wait); p.until.After(latest) {
			p.until = latest
		}
	}

	heap.Init(t)
	if latest := now.Add(t.whole); t.limit.After(latest) {
		t.limit = latest
	}
}

// pause is what a stage waits for before its next attempt.
type pause struct {
	until   time.Time // by the clock of Redis
	wait    time.Duration
	stage   dag.StageID
	attempt dag.Attempt
}

func (t *timers) Len() int           { return len(t.pending) }
func (t *timers) Less(i, j int) bool { return t.pending[i].until.Before(t.pending[j].until) }
func (t *timers) Swap(i, j int)      { t.pending[i], t.pending[j] = t.pending[j], t.pending[i] }
func (t *timers) Push(x any)         { t.pending = append(t.pending, x.(pause)) }
func (t *timers) Pop() any {
	last := len(t.pending) - 1
	p := t.pending[last]
	t.pending = t.pending[:last]
	return p
}

// set sets the timer to what is due next.
func (t *timers) set() {
	next := t.limit
	if len(t.pending) > 0 && (next.IsZero() || t.pending[0].until.Before(next)) {
		next = t.pending[0].until
	}

	if next.IsZero() {
		t.timer.Stop()
		return
	}

	t.timer.Reset(time.Until(next.Add(-t.ahead)))
}

// synchronize learns how far the clock of Redis is ahead of ours.
func (d *Driver) synchronize(ctx context.Context) error {
	sent := time.Now()
	now, err := d.Journal.Now(ctx)
	if err == nil {
		middle := sent.Add(time.Since(sent) / 2)
		d.timers.learn(middle, now.Sub(middle))
	}
	return err
}

// timed reports whether the driver may have to wait for a time.
func (d *Driver) timed() bool {
	return d.spec.Timeout > 0 || len(d.delayed) > 0 || slices.ContainsFunc(d.spec.Kinds(), func(k spec.Kind) bool { return k.Retries > 0 })
}

// schedule notes when a stage that has failed is tried again: a while after its failure was
// recorded.
func (d *Driver) schedule(e journal.Entry, s dag.StageID) {
	attempt := d.state.Attempt(s)
	wait := d.spec.Kind(d.graphStage(s)).Backoff.Wait(d.state.Failures(s), string(d.run), s, attempt)
	heap.Push(&d.timers, pause{e.Time.Add(wait), wait, s, attempt})
}

// An attempt that was lost is no failure, and its stage is executed again at once. What loses each
// of its attempts, such as a value that is too much for the link of its worker, must not keep
// workers from everything else: after a few losses there are pauses, longer each time.
const (
	freeLosses  = 2
	firstPause  = time.Second
	lastPause   = time.Minute
	mostDoubled = 6
)

// delayAfterLoss notes when a stage may be dispatched again if it has lost too many attempts.
func (d *Driver) delayAfterLoss(e journal.Entry, r journal.Record) {
	if strings.HasPrefix(r.Text, journal.NotBegun) || d.state.State(r.Stage) != dag.Ready {
		return
	}

	d.losses[r.Stage]++
	n := d.losses[r.Stage] - freeLosses
	if n <= 0 {
		return
	}

	wait := min(lastPause, firstPause<<min(n-1, mostDoubled))
	attempt := d.state.Attempt(r.Stage)
	d.delayed[r.Stage] = attempt
	heap.Push(&d.timers, pause{e.Time.Add(wait), wait, r.Stage, attempt})
}

// ring does what is due.
func (d *Driver) ring(ctx context.Context) error {
	now := time.Now().Add(d.timers.ahead)
	for len(d.timers.pending) > 0 && !d.timers.pending[0].until.After(now) {
		p := heap.Pop(&d.timers).(pause)
		if d.state.Attempt(p.stage) != p.attempt {
			continue
		}

		_, delayed := d.delayed[p.stage]
		delete(d.delayed, p.stage)
		if delayed && d.state.State(p.stage) == dag.Ready || d.state.State(p.stage) == dag.Retrying {
			d.queueUp(p.stage)
		}
	}

	if !d.timers.limit.IsZero() && !d.timers.limit.After(now) {
		d.timers.limit = time.Time{}
		return d.persist(ctx, func() error { return d.Journal.TimeOut(ctx, d.run, d.epoch, d.spec.Timeout) })
	}

	return nil
}
