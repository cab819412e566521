// Package coordinator drives runs. It reads the journal of a run, applies it to the state machine
// of the run, records decisions, and sends stages that are ready to the queue.
//
// A [Coordinator] is a loop: entries of the journal go in; decisions and tasks come out.
//
//	journal --entries--> apply --events--> dag.Run --commands--> carryOut
//	   ^                   |                                      |    |
//	   |                   v                                      |    v
//	   |                 note: inFlight, timers, losses           |  scheduler: ready stages
//	   |                                                          |    |
//	   +-------- recorder <---decisions: skip, cancel, finish-----+    v
//	                                                                 dispatch: batches
//	                                                                   |
//	                                                                   v
//	                                                        tasks.build --tasks--> queue
//
// What it decides by is in parts that know neither Redis nor a clock:
//
//   - stages: the pipeline and the state of the run
//   - inFlight: attempts that were sent or claimed, and their batches
//   - scheduler: which stages may be sent, and which of them share a batch
//   - timers: back-offs and the time limit, by the clock of Redis
//   - losses: lost attempts, pauses after them, and stages that kill their workers
//   - tasks: what a task tells a worker
//   - unschedulable: ready stages that no live worker can execute
//
// A reader and a recorder are the two ways to the journal. A search asks the queue for tasks that
// no worker has claimed.
package coordinator

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
)

// tickEvery is the time between two renewals of the lease, with all that is checked at the same
// time.
const tickEvery = 500 * time.Millisecond

// Coordinator drives one run. Its state is what the journal says, and what it has sent to the
// queue.
type Coordinator struct {
	Config
	run      Run
	position journal.Position // of the last journal entry that was applied

	stages        *stages
	inflight      *inFlight
	scheduler     *scheduler
	timers        *timers
	losses        *losses
	tasks         *tasks
	workers       *fleet.Monitor
	unschedulable *unschedulable
	search        *search
	recorder      *recorder

	// dead workers of which no attempt was lost yet
	knownDead map[string]bool
	// when the coordinator read that the run is being cancelled; zero if it is not
	cancelling time.Time
}

// Drive drives a run until it is finished: it learns from the journal how far the run is, and
// continues there. It returns when the run is finished, when ctx is done, or with
// [journal.ErrFenced] or [journal.ErrNotFound].
//
// A Redis that comes back from a crash, or a replica that replaces it, may lack the newest entries.
// Drive then starts again with the entries that the journal has.
func Drive(ctx context.Context, cfg Config, run Run) (*dag.Run, error) {
	for {
		state, err := newCoordinator(cfg, run).drive(ctx)
		if !errors.Is(err, journal.ErrTruncated) {
			return state, err
		}

		cfg.Logger.Warn("Redis has lost the newest entries of the journal: continuing from the others", "run", run.ID)
		if cfg.Reread != nil {
			cfg.Reread()
		}
	}
}

func newCoordinator(cfg Config, run Run) *Coordinator {
	c := &Coordinator{
		Config: cfg, run: run, position: journal.Start,
		stages: &stages{run.Spec, dag.NewRun(run.Spec.Graph, run.Spec.Rules())},
		timers: newTimers(run.Spec), losses: newLosses(), workers: fleet.NewMonitor(run.ID, cfg.Key),
		unschedulable: newUnschedulable(), knownDead: make(map[string]bool),
	}

	c.recorder = &recorder{cfg.Journal, run, cfg.Logger}
	c.inflight = newInFlight(c.stages)
	c.tasks = newTasks(run, c.stages)
	c.search = &search{cfg.Queue, c.inflight, c.tasks, c.unschedulable}
	c.scheduler = newScheduler(c.stages, c.inflight, c.timers, c.workers, cfg.MaxBatch, !cfg.NoFuse)
	return c
}

func (c *Coordinator) drive(ctx context.Context) (*dag.Run, error) {
	r := reader{c.Journal, c.run.ID, c.Logger}
	for {
		entries, err := r.existing(ctx, c.position)
		if err != nil {
			return c.stages.state, err
		}
		if len(entries) == 0 {
			break
		}

		// The commands are dropped: most of them were carried out by an earlier coordinator. The
		// state machine knows which are still pending.
		if _, err := c.apply(entries, nil); err != nil {
			return c.stages.state, err
		}
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	entries, failed := r.follow(ctx, c.position)
	return c.stages.state, c.loop(ctx, entries, failed)
}

// loop applies what happens, and carries out what follows from it, until the run is finished.
func (c *Coordinator) loop(ctx context.Context, entries <-chan []journal.Entry, failed <-chan error) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()

	// The workers must be known before the first stages are sent.
	if err := c.tick(ctx); err != nil {
		return err
	}

	commands := c.stages.state.Pending(nil)
	for {
		if err := c.carryOut(ctx, commands); err != nil {
			return err
		}
		if c.stages.state.Finished() {
			return nil
		}

		commands = commands[:0]
		setTimer(timer, c.timers)
		var err error
		select {
		case read := <-entries:
			if commands, err = c.apply(read, commands); err == nil {
				err = c.loseKnownDead(ctx)
			}
		case id := <-c.Dead:
			c.knownDead[id] = true
			err = c.loseKnownDead(ctx)
		case <-c.Hurry:
			c.Hurry = nil // it is closed, and would be chosen again and again
			c.Grace = 0
			err = c.endCancelled(ctx, time.Now())
		case <-tick.C:
			err = c.tick(ctx)
		case <-timer.C:
			err = c.fireTimers(ctx, time.Now())
		case err = <-failed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func setTimer(timer *time.Timer, t *timers) {
	if next, ok := t.nextFire(); ok {
		timer.Reset(time.Until(next))
	} else {
		timer.Stop()
	}
}

// apply applies entries of the journal, and appends what follows from them to commands.
func (c *Coordinator) apply(entries []journal.Entry, commands []dag.Command) ([]dag.Command, error) {
	for _, entry := range entries {
		for _, record := range entry.Records {
			if event, ok := record.Event(); ok {
				var err error
				if commands, err = c.stages.state.Apply(event, commands); err != nil {
					return commands, journal.Damaged(c.run.ID, entry.ID, err)
				}
			}
			c.note(entry, record)
		}

		c.position = entry.ID
	}

	if c.Observe != nil {
		c.Observe(entries)
	}
	return commands, nil
}

// note takes from a record what the state machine does not keep: times, workers and batches. The
// state machine has applied the record already.
func (c *Coordinator) note(e journal.Entry, r journal.Record) {
	switch r.Type {
	case journal.StageStarted:
		b := c.inflight.claim(r.Stage, r.Attempt, e.Worker, time.Now())
		c.unschedulable.setPaused(b.queue, "")

	case journal.RunSubmitted, journal.RunReopened:
		if r.Type == journal.RunReopened {
			c.tasks.reopened++
		}
		c.cancelling = time.Time{}
		c.losses.reset()
		c.timers.reset()
		if limit := c.run.Spec.Timeout; limit > 0 {
			c.timers.setLimit(e.Time, limit)
		}

	case journal.RunCancelling:
		c.cancelling = time.Now()
		c.timers.clearLimit()
	case journal.StageLost:
		c.noteLoss(e, r)

	case journal.StageSucceeded, journal.StageFailed, journal.StageSkipped, journal.StageCancelled:
		c.noteOutcome(e, r)
	}
}

// noteLoss takes in that an attempt was lost.
func (c *Coordinator) noteLoss(e journal.Entry, r journal.Record) {
	// An attempt that its worker requeued, or whose report Redis lost, killed no worker.
	if e.Worker == "" && !strings.HasPrefix(r.Text, reportLost) {
		c.losses.crashed(r.Stage)
	}

	if !strings.HasPrefix(r.Text, journal.NotBegun) && c.stages.state.State(r.Stage) == dag.Ready {
		// From the time of the entry, so that the next coordinator waits until the same time.
		if wait := c.losses.lost(r.Stage); wait > 0 {
			c.timers.pause(r.Stage, c.stages.state.Attempt(r.Stage), e.Time, wait)
		}
	}

	// Its worker is gone or has given up the whole batch, so no worker executes the rest of it.
	if a := c.inflight.attempts[r.Stage]; a != nil {
		c.requeueUnclaimed(a.batch)
	}
	c.complete(r.Stage)
}

// noteOutcome takes in that an attempt has ended.
func (c *Coordinator) noteOutcome(e journal.Entry, r journal.Record) {
	state := c.stages.state
	if r.Type == journal.StageSucceeded {
		c.scheduler.learn(r.Stage, r.Duration)
	}
	if r.Count > 0 {
		c.tasks.lists[r.Stage] = e.ID
	}

	// The state machine decides whether a failed stage is retried. An old failure that an attempt
	// has overtaken changes nothing.
	if attempt := state.Attempt(r.Stage); state.State(r.Stage) == dag.Retrying && attempt == r.Attempt+1 {
		wait := c.stages.kind(r.Stage).Backoff.Wait(state.Failures(r.Stage), string(c.run.ID), r.Stage, attempt)
		c.timers.pause(r.Stage, attempt, e.Time, wait)
		c.dropChain(r.Stage)
	}

	c.complete(r.Stage)
}

// complete takes a stage out of flight. Its attempt has ended, or no worker will claim the attempt
// from the batch in which it was sent.
func (c *Coordinator) complete(s dag.StageID) {
	if b := c.inflight.complete(s, time.Now()); b != nil {
		c.scheduler.completed(s, b)
	}
}

// dropChain takes the stages out of flight that follow a failed stage in its batch: the worker does
// not execute them now.
func (c *Coordinator) dropChain(s dag.StageID) {
	for _, next := range c.inflight.chainAfter(s) {
		c.complete(next)
	}
}

// requeueUnclaimed lets the scheduler send the stages of a batch again that no worker has claimed.
func (c *Coordinator) requeueUnclaimed(b *batch) {
	for _, s := range c.inflight.unclaimed(b) {
		c.complete(s)

		// Not the rest of a chain: it becomes ready when the stage before it has succeeded.
		if c.stages.claimable(s) {
			c.scheduler.add(s)
		}
	}
}

// carryOut carries out what the state machine asks for.
func (c *Coordinator) carryOut(ctx context.Context, commands []dag.Command) error {
	var decisions []journal.Decision
	finish := false
	for _, command := range commands {
		switch command.Type {
		case dag.Dispatch:
			c.scheduler.add(command.Stage)
		case dag.Skip:
			decisions = append(decisions, journal.Decision{Kind: journal.EndUnexecuted,
				Record: journal.Record{Type: journal.StageSkipped, Stage: command.Stage, Cause: command.Cause}})
		case dag.Cancel:
			decisions = append(decisions, journal.Decision{Kind: journal.EndUnexecuted,
				Record: journal.Record{Type: journal.StageCancelled, Stage: command.Stage}})
		case dag.Retry:
			// The back-off before the next attempt began with the time of the entry, so noteOutcome
			// has set its timer.
		case dag.Finish:
			finish = true
		}
	}

	// Decisions change the state only when they come back through the journal, as all records do.
	if err := c.recorder.decide(ctx, c.position, decisions); err != nil {
		return err
	}

	c.removeUnwanted()
	if finish {
		return c.recorder.finish(ctx, c.position, c.stages.state)
	}

	c.dispatch(ctx)
	return nil
}

// dispatch sends ready stages to their queues, as many as their workers need.
func (c *Coordinator) dispatch(ctx context.Context) {
	for name := range c.scheduler.ready {
		var list []queue.Task
		for _, b := range c.scheduler.schedule(name) {
			b.active = time.Now()
			list = append(list, c.tasks.build(b, c.position))
		}
		if len(list) == 0 {
			continue
		}

		// A dispatch is not recorded, so a failed one needs no other answer than a warning: its
		// batches are overdue soon, and sent again.
		if err := c.Queue.EnqueueAll(ctx, name, list...); err != nil && ctx.Err() == nil {
			c.Logger.Warn("cannot send stages to the queue, will try again", "run", c.run.ID, "error", err)
		}
	}
}

// removeUnwanted removes tasks from their queues whose stages ended in another way.
func (c *Coordinator) removeUnwanted() {
	for id, name := range c.inflight.unwanted {
		// A task that stays is harmless: the claims of its worker are refused.
		if err := c.Queue.Remove(name, id); err != nil {
			c.Logger.Warn("a task that no worker needs stays in the queue", "run", c.run.ID, "task", id, "error", err)
		}
		delete(c.inflight.unwanted, id)
	}
}
