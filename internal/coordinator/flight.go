package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
)

// flight is an attempt that was handed to the queue, or claimed, and has not ended.
type flight struct {
	attempt dag.Attempt
	worker  string    // who claimed it; empty until somebody has
	sent    time.Time // when it was handed to the queue, or last found to be there
	serial  int       // how often it was handed over again
}

// Limits of a flight.
const (
	unclaimedAfter = 3 * time.Second // then the queue is asked what became of it
	maxCrashes     = 3               // workers that may die with a stage before the stage is to blame
	enqueuers      = 4               // bundles handed to the queue at once: each costs a round trip
)

// track notes who executes what.
func (d *Driver) track(e journal.Entry, r journal.Record) {
	switch r.Type {
	case journal.StageStarted:
		f := d.flights[r.Stage]
		if f == nil {
			f = &flight{}
			d.takeOff(r.Stage, f)
		}
		f.attempt, f.worker = r.Attempt, e.Worker
	case journal.RunCancelling:
		d.stopping = time.Now()
	case journal.StageLost:
		if e.Worker == "" { // not handed back by the worker itself
			d.crashes[r.Stage]++
		}
		fallthrough
	case journal.StageSucceeded, journal.StageFailed, journal.StageSkipped, journal.StageCancelled:
		d.land(r.Stage)
	}
}

func (d *Driver) takeOff(s dag.StageID, f *flight) {
	d.flights[s] = f
	d.inFlight[d.spec.Queue(s)]++
}

func (d *Driver) land(s dag.StageID) {
	f := d.flights[s]
	if f == nil {
		return
	}
	delete(d.flights, s)
	d.inFlight[d.spec.Queue(s)]--
	if f.worker == "" {
		d.unwanted[d.taskID(s, *f)] = d.spec.Queue(s)
	}
}

// cleanUp takes tasks out of the queue whose stages came to their end in another way.
func (d *Driver) cleanUp() {
	for id, queue := range d.unwanted {
		if err := d.Queue.Remove(queue, id); err != nil {
			d.Logger.Warn("a task that nobody needs stays in the queue", "error", err)
		}
		delete(d.unwanted, id)
	}
}

// window is how many stages of a queue should be in flight: enough that no worker waits for us, and no more, so that a stage
// that becomes ready later and matters more does not stand behind others.
func (d *Driver) window(queue string) int { return 2*d.workers.slots[queue] + 2 }

// dispatch hands ready stages to the queue while there are workers for them.
func (d *Driver) dispatch(ctx context.Context) error {
	group, enqueueCtx := errgroup.WithContext(ctx)
	group.SetLimit(enqueuers)
	wake := make(map[string]bool)
	for name, ready := range d.ready.byName {
		for ready.Len() > 0 && d.inFlight[name] < d.window(name) {
			s := ready.pop()
			if d.state.State(s) != dag.Ready || d.flights[s] != nil {
				continue // it was claimed, or decided upon, since it became ready
			}
			f := &flight{attempt: d.state.Attempt(s), sent: time.Now()}
			d.takeOff(s, f)
			wake[name] = true
			group.Go(func() error { return d.send(enqueueCtx, s, *f) })
		}
	}
	err := group.Wait()
	for name := range wake {
		err = errors.Join(err, d.Queue.Wake(ctx, name))
	}
	if err != nil && ctx.Err() == nil { // what was not sent is found overdue and sent again
		d.Logger.Warn("cannot hand stages to the queue, will try again", "run", d.run, "error", err)
	}
	return nil
}

// taskID is the same for every coordinator that comes to dispatch the attempt: what is in the queue already is not added again.
func (d *Driver) taskID(s dag.StageID, f flight) string {
	id := fmt.Sprintf("%s/%s#%d", d.run, d.spec.Graph.Name(s), f.attempt)
	if f.serial > 0 {
		id += fmt.Sprintf("~%d", f.serial)
	}
	return id
}

func (d *Driver) send(ctx context.Context, s dag.StageID, f flight) error {
	return d.Queue.Enqueue(ctx, d.spec.Queue(s), d.taskID(s, f), d.spec.Graph.Name(s), queue.Bundle{
		Run: string(d.run), Pipeline: d.spec.Name, Digest: d.digest, Items: []queue.Item{{Stage: s, Attempt: f.attempt}},
	})
}

// overdue asks the queue about stages that nobody has claimed for a while, and hands over again what is not there any more.
func (d *Driver) overdue(ctx context.Context, now time.Time) error {
	for s, f := range d.flights {
		if f.worker != "" || now.Sub(f.sent) < unclaimedAfter {
			continue
		}
		name := d.spec.Queue(s)
		pending, err := d.Queue.Pending(name, d.taskID(s, *f))
		if err != nil {
			return err
		}
		f.sent = now
		if pending {
			continue
		}
		f.serial++
		d.Logger.Warn("a stage that nobody claimed is gone from its queue: sent again", "run", d.run, "stage", d.spec.Graph.Name(s))
		if err := d.send(ctx, s, *f); err != nil {
			return err
		}
		if err := d.Queue.Wake(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// lose records the loss of the claimed attempts that match. A stage that has cost too many workers fails.
func (d *Driver) lose(ctx context.Context, match func(*flight) bool, reason string) error {
	var decisions []journal.Decision
	for s, f := range d.flights {
		if f.worker == "" || !match(f) {
			continue
		}
		r := journal.Record{Type: journal.StageLost, Stage: s, Attempt: f.attempt, Text: fmt.Sprintf("%s (%s)", reason, f.worker)}
		kind := journal.Revoke
		if d.crashes[s]+1 >= maxCrashes {
			kind, r.Type = journal.EndForced, journal.StageFailed
			r.Text = fmt.Sprintf("poison: %d workers died while they executed it; the last was %s", maxCrashes, f.worker)
		}
		decisions = append(decisions, journal.Decision{Kind: kind, Record: r})
	}
	if len(decisions) == 0 {
		return nil
	}
	return d.persist(ctx, func() error { return d.Journal.Decide(ctx, d.run, d.epoch, decisions) })
}

// force ends attempts that still run when the time for stopping them is over.
func (d *Driver) force(ctx context.Context, now time.Time) error {
	if d.stopping.IsZero() || now.Sub(d.stopping) < d.Grace {
		return nil
	}
	var decisions []journal.Decision
	for s, f := range d.flights {
		if f.worker != "" {
			decisions = append(decisions, journal.Decision{Kind: journal.EndForced, Record: journal.Record{
				Type: journal.StageCancelled, Stage: s, Attempt: f.attempt, Text: "it did not stop within " + d.Grace.String()}})
		}
	}
	if len(decisions) == 0 {
		return nil
	}
	return d.persist(ctx, func() error { return d.Journal.Decide(ctx, d.run, d.epoch, decisions) })
}
