package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/spec"
)

// need is what a worker must be for a stage: it listens to the queue, and has a handler for the
// task. Without a task it must only listen.
type need struct{ queue, task string }

// ErrNoWorker is what a [NoWorkerError] is.
var ErrNoWorker = errors.New("no worker in time")

// NoWorkerError says that stages have waited too long for a worker that could execute them.
type NoWorkerError struct{ fleet.Unschedulable }

// Error says what was waited for.
func (e *NoWorkerError) Error() string {
	if e.Task != "" {
		return fmt.Sprintf("%v: for %s no worker had the handler %q that stage %q needs", ErrNoWorker, e.For.Round(time.Second/10), e.Task, e.Stage)
	}

	if e.Paused != "" {
		return fmt.Sprintf("%v: for %s queue %q was paused, where stage %q waits: resume it in asynqmon, or delete the key %s in Redis",
			ErrNoWorker, e.For.Round(time.Second/10), e.Queue, e.Stage, e.Paused)
	}
	if len(e.Unhealthy) > 0 {
		return fmt.Sprintf("%v: for %s none that listens on queue %q, where stage %q waits, could execute stages: %s", ErrNoWorker, e.For.Round(time.Second/10), e.Queue, e.Stage, e.Unhealthy[0])
	}

	return fmt.Sprintf("%v: for %s none listened on queue %q, where stage %q waits", ErrNoWorker, e.For.Round(time.Second/10), e.Queue, e.Stage)
}

// Is makes errors.Is(err, ErrNoWorker) hold.
func (e *NoWorkerError) Is(target error) bool { return target == ErrNoWorker }

// need returns what a worker must be for a stage.
func (d *Driver) need(s dag.StageID) need {
	g := d.graphStage(s)
	return need{d.spec.Queue(g), d.spec.Kind(g).Task}
}

// queueUp lets a stage that is ready wait for its turn, or for a worker that has a handler for it.
func (d *Driver) queueUp(s dag.StageID) {
	if attempt, delayed := d.delayed[s]; delayed && attempt == d.state.Attempt(s) {
		return // its timer comes back to it
	}

	if d.lacking {
		if n := d.need(s); d.workers.crews.Lack(n.queue, n.task) {
			d.parked[n] = append(d.parked[n], s)
			return
		}
	}

	d.ready.push(s, d.graphStage(s))
}

// needsOf returns what workers must be for the stages of a pipeline.
func needsOf(sp *spec.Spec) []need {
	set := make(map[need]bool)
	for _, k := range sp.Kinds() {
		set[need{cmp.Or(k.Queue, spec.DefaultQueue), k.Task}] = true
	}
	return slices.Collect(maps.Keys(set))
}

// regroup notes what handlers the workers have, and lets stages go on that have waited for one
// which is there now.
func (d *Driver) regroup(ctx context.Context, list []fleet.Worker) (err error) {
	crews, err := d.Fleet.Capabilities(ctx, list, d.run, d.Key, d.workers.crews)
	if err != nil {
		return err
	}

	d.workers.crews = crews
	d.lacking = slices.ContainsFunc(d.needs, func(n need) bool { return crews.Lack(n.queue, n.task) })
	for n, stages := range d.parked {
		if crews.Lack(n.queue, n.task) {
			continue
		}
		delete(d.parked, n)
		for _, s := range stages {
			// what is not ready any more is left out when its turn comes
			d.ready.push(s, d.graphStage(s))
		}
	}

	return nil
}

// reportUnserved tells the observer which stages wait for a worker to appear, and returns
// [ErrNoWorker] if they have done so for too long.
func (d *Driver) reportUnserved(now time.Time) error {
	waiting := make(map[need]fleet.Unschedulable)
	d.countQueued(waiting)
	d.countParked(waiting)
	maps.DeleteFunc(d.workers.unserved, func(n need, _ time.Time) bool { return waiting[n].Stages == 0 })
	var list []fleet.Unschedulable
	for n, u := range waiting {
		since, ok := d.workers.unserved[n]
		if !ok {
			since = now
			d.workers.unserved[n] = now
		}

		u.Queue, u.Task, u.For = n.queue, n.task, now.Sub(since)
		if n.task == "" {
			u.Paused = d.paused[n.queue]
		}

		u.KeyMismatch = d.workers.strange[n.queue]
		u.Unhealthy = d.workers.unwell[n.queue]
		u.Listeners = d.workers.listen[n.queue]
		list = append(list, u)
	}

	slices.SortFunc(list, func(a, b fleet.Unschedulable) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Task, b.Task))
	})
	if d.Unserved != nil {
		d.Unserved(list)
	}

	for _, u := range list {
		if d.NoWorker > 0 && u.For >= d.NoWorker {
			return fmt.Errorf("run %s: %w", d.run, &NoWorkerError{u})
		}
	}

	return nil
}

// countQueued counts the stages of queues to which nobody listens.
func (d *Driver) countQueued(waiting map[need]fleet.Unschedulable) {
	add := func(queue string, s dag.StageID, stages int) {
		u := waiting[need{queue: queue}]
		if u.Stages += stages; u.Stage == "" {
			u.Stage = d.state.Name(s)
		}
		waiting[need{queue: queue}] = u
	}

	for name, ready := range d.ready.byName {
		if !d.served(name) && ready.Len() > 0 {
			add(name, ready.first(), ready.Len())
		}
	}

	for s, f := range d.flights {
		if f.worker == "" && !d.served(f.bundle.queue) {
			add(f.bundle.queue, s, 1)
		}
	}
}

// served reports whether live workers take stages from a queue.
func (d *Driver) served(queue string) bool {
	return d.workers.slots[queue] > 0 && d.paused[queue] == ""
}

// countParked counts the stages for which no worker has a handler.
func (d *Driver) countParked(waiting map[need]fleet.Unschedulable) {
	for n, stages := range d.parked {
		u := fleet.Unschedulable{}
		for _, s := range stages {
			if !d.claimable(s) {
				continue
			}
			if u.Stages++; u.Stage == "" {
				u.Stage = d.state.Name(s)
			}
		}

		if u.Stages > 0 {
			waiting[n] = u
		}
	}
}
