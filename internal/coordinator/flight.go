package coordinator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
)

// flight is an attempt that was handed to the queue, or claimed, and has not ended.
type flight struct {
	attempt dag.Attempt
	worker  string    // who claimed it; empty until somebody has
	claimed time.Time // when that was learned
	bundle  *bundle
}

// bundle is attempts that were handed to the queue as one task.
type bundle struct {
	id      string // of the task; empty if another coordinator sent it
	queue   string
	stages  []dag.StageID // in the order in which they are executed
	work    time.Duration // that the stages are expected to be
	guesses int           // stages of which that is a guess
	left    int           // flights that have not landed
	touched time.Time     // when it was handed over, or last heard of
	missed  time.Time     // when it was first found nowhere; before touched if that is over
	taken   bool          // a worker has claimed something of it
}

// Limits of a flight.
const (
	unclaimedAfter = 3 * time.Second // then the queue is asked what became of a bundle
	// and asked again: a worker may just have taken it, and says so with its next heartbeat
	missedFor = fleet.HeartbeatInterval
	// workers that may die with a stage before the stage is to blame
	maxCrashes = 3
)

// track notes who executes what.
func (d *Driver) track(e journal.Entry, r journal.Record) {
	switch r.Type {
	case journal.StageStarted:
		f := d.flights[r.Stage]
		if f == nil { // sent by another coordinator
			f = d.takeOff(r.Stage, &bundle{queue: d.spec.Queue(d.graphStage(r.Stage)), stages: []dag.StageID{r.Stage}})
		}
		f.attempt, f.worker, f.claimed = r.Attempt, e.Worker, time.Now()
		f.bundle.taken, f.bundle.touched = true, time.Now()
		delete(d.paused, f.bundle.queue)

	case journal.RunSubmitted, journal.RunReopened:
		d.lives++
		d.stopping = time.Time{}
		clear(d.crashes)
		clear(d.losses)
		if d.spec.Timeout > 0 {
			d.timers.limit = e.Time.Add(d.spec.Timeout)
			d.timers.whole = d.spec.Timeout
		}

	case journal.RunCancelling:
		d.stopping = time.Now()
		d.timers.limit = time.Time{}
	case journal.StageLost:
		// neither handed back by the worker itself nor executed to its end
		if e.Worker == "" && !strings.HasPrefix(r.Text, reportLost) {
			d.crashes[r.Stage]++
		}
		d.delayAfterLoss(e, r)
		if f := d.flights[r.Stage]; f != nil {
			d.ground(f.bundle)
		}
		d.land(r.Stage)

	case journal.StageSucceeded, journal.StageFailed, journal.StageSkipped, journal.StageCancelled:
		if _, _, gathers := d.state.Instances(r.Stage); r.Type == journal.StageSucceeded && !gathers {
			d.durations.Learn(d.graphStage(r.Stage), r.Duration)
		}

		if r.Count > 0 {
			d.lists[r.Stage] = e.ID
		}

		if d.state.State(r.Stage) == dag.Retrying && d.state.Attempt(r.Stage) == r.Attempt+1 {
			d.schedule(e, r.Stage)
			d.leaveBehind(r.Stage)
		}

		d.land(r.Stage)
	}
}

func (d *Driver) takeOff(s dag.StageID, b *bundle) *flight {
	if b.left == 0 {
		d.inFlight[b.queue]++
	}

	b.left++
	if p, _ := d.counted(s); p != nil {
		p.flying++
	}

	f := &flight{attempt: d.state.Attempt(s), bundle: b}
	d.flights[s] = f
	return f
}

func (d *Driver) land(s dag.StageID) {
	f := d.flights[s]
	if f == nil {
		return
	}

	delete(d.flights, s)
	d.letGo(s)
	b := f.bundle
	b.touched = time.Now()
	if b.left--; b.left > 0 {
		return
	}

	d.inFlight[b.queue]--
	if !b.taken && b.id != "" {
		d.unwanted[b.id] = b.queue
	}

	if len(b.stages) == d.largest {
		d.largest = min(4*d.largest, d.maxBundle())
	}
}

// leaveBehind takes those stages out of a bundle that came after one that has failed: the worker
// does not execute them now.
func (d *Driver) leaveBehind(s dag.StageID) {
	failed := d.flights[s]
	for failed != nil && int(s) < d.spec.Graph.Len() {
		next := d.spec.Graph.Dependents(s)
		if len(next) != 1 || d.state.State(next[0]) != dag.Waiting || d.flights[next[0]] == nil || d.flights[next[0]].bundle != failed.bundle {
			return
		}
		s = next[0]
		d.land(s)
	}
}

// ground takes the stages of a bundle that nobody has claimed out of it: whoever had the bundle is
// gone, or has given it up.
func (d *Driver) ground(b *bundle) {
	for _, s := range b.stages {
		if f := d.flights[s]; f == nil || f.bundle != b || f.worker != "" {
			continue
		}
		d.land(s)
		if d.claimable(s) {
			d.queueUp(s)
		}
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

// window is how many bundles of a queue should be in flight: enough that no worker waits for us,
// and no more, so that a stage that becomes ready later and matters more does not stand behind
// others.
func (d *Driver) window(queue string) int { return 2*d.workers.slots[queue] + 2 }

// dispatch hands ready stages to the queue while there are workers for them.
func (d *Driver) dispatch(ctx context.Context) error {
	for name, ready := range d.ready.byName {
		var tasks []queue.Task
		share := d.share(name, ready)
		for d.inFlight[name] < d.window(name) && !d.tooFew(name, ready) {
			b := d.pack(name, ready, share)
			if b == nil {
				break
			}
			tasks = append(tasks, d.task(b))
		}

		if len(tasks) == 0 {
			continue
		}

		// what was not sent is found overdue and sent again
		if err := d.Queue.EnqueueAll(ctx, name, tasks...); err != nil && ctx.Err() == nil {
			d.Logger.Warn("cannot hand stages to the queue, will try again", "run", d.run, "error", err)
		}
	}

	return nil
}

// task is what a worker is told of a bundle.
func (d *Driver) task(b *bundle) queue.Task {
	t := queue.Batch{Run: string(d.run), Pipeline: d.spec.Name, Incarnation: d.Incarnation, Digest: d.digest, After: d.position}
	for _, s := range b.stages {
		t.Items = append(t.Items, d.item(s))
	}
	return queue.Task{ID: b.id, Label: queue.Label(len(t.Items), d.state.Name(b.stages[0])), Bundle: t}
}

// overdue asks the queue about bundles of which nothing was heard for a while, and dispatches again
// what is not there any more.
func (d *Driver) overdue(ctx context.Context, now time.Time) error {
	asked := make(map[*bundle]bool)
	passedOn := make(map[string]map[string]bool)
	for s, f := range d.flights {
		b := f.bundle
		if f.worker != "" || asked[b] || !d.claimable(s) || now.Sub(b.touched) < unclaimedAfter {
			continue
		}

		asked[b] = true
		if d.delivered(b) {
			continue // asked again soon: the worker may die
		}

		pending, err := d.Queue.Pending(b.queue, b.id)
		if err != nil {
			return err
		}

		if !pending {
			if passedOn[b.queue] == nil {
				if passedOn[b.queue], err = d.Queue.PassedOn(b.queue); err != nil {
					return err
				}
			}
			pending = d.leads(b, passedOn[b.queue])
		}

		if !pending && b.missed.Before(b.touched) {
			b.missed = now
		}

		if !pending && now.Sub(b.missed) < missedFor {
			continue
		}

		b.touched = now
		if pending {
			if err := d.lookForPause(b.queue); err != nil {
				return err
			}
			continue
		}

		if err := d.intact(ctx); err != nil {
			return err
		}
		if err := d.mend(ctx, b.stages); err != nil {
			return err
		}

		d.Logger.Warn("stages that nobody claimed are gone from their queue: sent again", "run", d.run, "task", b.id)
		d.resent++
		b.taken = true // there is nothing to remove
		d.ground(b)
	}

	return nil
}

// leads reports whether an attempt of a bundle that nobody has claimed is one of those with the
// given ids.
func (d *Driver) leads(b *bundle, ids map[string]bool) bool {
	return slices.ContainsFunc(b.stages, func(s dag.StageID) bool {
		f := d.flights[s]
		return f != nil && f.bundle == b && f.worker == "" && ids[queue.TaskID(string(d.run), d.state.Name(s), int(f.attempt))]
	})
}

// delivered reports whether a live worker has taken a bundle, or what is left of it and was passed
// on, and has not claimed anything of it yet.
func (d *Driver) delivered(b *bundle) bool {
	return d.workers.tasks[b.id] || d.leads(b, d.workers.tasks)
}

// lookForPause finds out whether a queue is paused in which a task has waited for a while.
func (d *Driver) lookForPause(queue string) error {
	key, err := d.Queue.Paused(queue)
	if err != nil {
		return err
	}

	delete(d.paused, queue)
	if key != "" {
		d.paused[queue] = key
	}
	return nil
}

// intact returns [journal.ErrDigest] if the spec in Redis is not the one that is driven: workers
// refuse all that is sent, and would for ever.
func (d *Driver) intact(ctx context.Context) error {
	_, digest, err := d.Journal.Spec(ctx, d.run)
	if err == nil && digest != d.digest {
		return fmt.Errorf("run %s: %w: the spec was replaced in Redis", d.run, journal.ErrDigest)
	}
	return err
}

// mend has Redis know of stages in flight what the journal says of them: what it knows otherwise
// would be refused for ever.
func (d *Driver) mend(ctx context.Context, stages []dag.StageID) error {
	var standings []journal.ExpectedState
	for _, s := range stages {
		if f := d.flights[s]; f != nil && (f.worker != "" || d.claimable(s)) {
			standings = append(standings, journal.ExpectedState{AttemptID: journal.AttemptID{Stage: s, Attempt: f.attempt}, Claimed: f.worker != ""})
		}
	}

	n, err := d.Journal.RepairFence(ctx, d.run, d.epoch, d.position, standings)
	if n > 0 {
		d.Logger.Warn("Redis had claims or ends that the journal does not have, from a transaction that it had lost: taken back", "run", d.run, "stages", n)
	}
	return err
}

// lose records the loss of the claimed attempts that match. A stage that has cost too many workers
// fails.
func (d *Driver) lose(ctx context.Context, match func(*flight) bool, reason string) error {
	return d.loseWhere(ctx, func(_ dag.StageID, f *flight) bool { return match(f) }, reason)
}

// loseBuried records the loss of what workers held that are known to have died. It is called until
// there was something: what a worker claimed just before it died may not have been read yet.
func (d *Driver) loseBuried(ctx context.Context) error {
	if len(d.workers.buried) == 0 {
		return nil
	}

	var found []string
	match := func(f *flight) bool {
		if d.workers.buried[f.worker] {
			found = append(found, f.worker)
		}
		return d.workers.buried[f.worker]
	}

	err := d.lose(ctx, match, "its worker died")
	for _, id := range found {
		delete(d.workers.buried, id)
	}
	return err
}

// reportLost is why an attempt is lost that has ended, and is not to blame.
const reportLost = "Redis has lost how it ended"

func (d *Driver) loseWhere(ctx context.Context, match func(dag.StageID, *flight) bool, reason string) error {
	var decisions []journal.Decision
	var stages []dag.StageID
	for s, f := range d.flights {
		if f.worker == "" || !match(s, f) {
			continue
		}

		stages = append(stages, s)
		r := journal.Record{Type: journal.StageLost, Stage: s, Attempt: f.attempt, Text: fmt.Sprintf("%s (%s)", reason, f.worker)}
		kind := journal.Revoke
		if reason != reportLost && d.crashes[s]+1 >= maxCrashes {
			kind = journal.EndForced
			r.Type = journal.StageFailed
			r.Fatal = true
			r.Text = fmt.Sprintf("poison: %d workers died while they executed it; the last was %s", maxCrashes, f.worker)
		}

		decisions = append(decisions, journal.Decision{Kind: kind, Record: r})
	}

	if len(decisions) == 0 {
		return nil
	}

	return d.persist(ctx, func() error {
		if err := d.mend(ctx, stages); err != nil {
			return err
		}
		return d.Journal.At(d.position).Decide(ctx, d.run, d.epoch, decisions)
	})
}

// force ends attempts that still run when the time for stopping them is over. Those that clean up
// have all the time that they need.
func (d *Driver) force(ctx context.Context, now time.Time) error {
	if d.stopping.IsZero() || now.Sub(d.stopping) < d.Grace {
		return nil
	}

	why := "it did not stop within " + d.Grace.String()
	if d.Grace == 0 {
		why = "it was not waited for"
	}

	var decisions []journal.Decision
	for s, f := range d.flights {
		if f.worker != "" && d.spec.Kind(d.graphStage(s)).Trigger != dag.AllDone {
			decisions = append(decisions, journal.Decision{Kind: journal.EndForced, Record: journal.Record{
				Type: journal.StageCancelled, Stage: s, Attempt: f.attempt, Text: why}})
		}
	}

	if len(decisions) == 0 {
		return nil
	}

	return d.persist(ctx, func() error { return d.Journal.At(d.position).Decide(ctx, d.run, d.epoch, decisions) })
}
