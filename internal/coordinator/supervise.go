package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
)

// tick renews the lease, and checks what no journal entry announces.
func (c *Coordinator) tick(ctx context.Context) error {
	err := c.Journal.Renew(ctx, c.run.ID, c.ID, Lease, c.run.Epoch)
	if errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrFenced) {
		return err
	}

	if err == nil && c.timers.needed() {
		err = c.synchronize(ctx)
	}
	if err == nil {
		err = c.checkWorkers(ctx)
	}

	if errors.Is(err, journal.ErrDigest) || errors.Is(err, journal.ErrTruncated) || errors.Is(err, ErrNoWorker) {
		return err
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	// Redis is unreachable. The coordinator waits for it, however long the outage: the workers keep
	// what they have, and Redis keeps the run.
	c.workers.Unreachable()
	c.Logger.Warn("cannot reach Redis, will try again", "run", c.run.ID, "error", err)
	return nil
}

// synchronize measures how far the clock of Redis is ahead.
func (c *Coordinator) synchronize(ctx context.Context) error {
	sent := time.Now()
	now, err := c.Journal.Now(ctx)
	if err != nil {
		return err
	}

	// Redis read its clock somewhere between the request and the reply.
	middle := sent.Add(time.Since(sent) / 2)
	c.timers.learn(middle, now.Sub(middle))
	return nil
}

// fireTimers does what is due.
func (c *Coordinator) fireTimers(ctx context.Context, now time.Time) error {
	due, overLimit := c.timers.fire(now)
	for _, s := range due {
		c.scheduler.add(s)
	}

	if overLimit {
		return c.recorder.timeOut(ctx)
	}
	return nil
}

// checkWorkers finds dead workers, batches that are missing, stages that no worker can execute, and
// attempts that outlive a cancelled run.
func (c *Coordinator) checkWorkers(ctx context.Context) error {
	list, err := c.Fleet.Workers(ctx)
	if err != nil {
		return err
	}
	capabilities, err := c.Fleet.Capabilities(ctx, list, c.run.ID, c.Key, c.workers.Capabilities())
	if err != nil {
		return err
	}

	now := time.Now()
	c.workers.Update(list, capabilities, now)
	c.scheduler.workersChanged()

	dead := func(_ dag.StageID, a *attempt) bool { return c.workers.Dead(a.worker, now) }
	if err := c.recordLosses(ctx, dead, "its worker sent no heartbeat for "+fleet.WorkerTTL.String()); err != nil {
		return err
	}

	// The other way round from a dead worker: it is alive, and does not have the attempt.
	lacks := func(s dag.StageID, a *attempt) bool {
		return c.workers.Lacks(a.worker, journal.AttemptID{Stage: s, Attempt: a.number}, a.claimed, now)
	}
	if err := c.recordLosses(ctx, lacks, reportLost); err != nil {
		return err
	}
	if err := c.resendMissing(ctx, now); err != nil {
		return err
	}
	if err := c.endCancelled(ctx, now); err != nil {
		return err
	}
	if err := c.reportUnschedulable(now); err != nil {
		return err
	}

	c.dispatch(ctx) // there may be more workers now
	return nil
}

// reportUnschedulable tells the observer which stages no live worker can execute, and returns
// [ErrNoWorker] if one of them has waited for too long.
func (c *Coordinator) reportUnschedulable(now time.Time) error {
	list := c.unschedulable.update(c.scheduler, c.workers, now)
	if c.Unschedulable != nil {
		c.Unschedulable(list)
	}

	for _, u := range list {
		if c.NoWorker > 0 && u.For >= c.NoWorker {
			return fmt.Errorf("run %s: %w", c.run.ID, &NoWorkerError{u})
		}
	}
	return nil
}

// resendMissing lets the stages of missing batches be sent again.
func (c *Coordinator) resendMissing(ctx context.Context, now time.Time) error {
	missing, err := c.search.findMissing(c.workers.Delivered(), now)
	if err != nil {
		return err
	}

	for _, b := range missing {
		b.active = now

		// A task also goes missing because workers reject it. Sending it again would not help then.
		if err := c.recorder.checkSpec(ctx); err != nil {
			return err
		}
		if err := c.recorder.repairFence(ctx, c.position, c.inflight.expected(b.stages)); err != nil {
			return err
		}

		c.Logger.Warn("a task that no worker claimed is missing from its queue: sending its stages again", "run", c.run.ID, "task", b.id)
		c.tasks.resent++
		b.gone = true
		c.requeueUnclaimed(b)
	}
	return nil
}

// loseKnownDead records the loss of the attempts of workers that are known to be dead. A worker
// stays known as dead until an attempt of it is lost: what it claimed just before its death may not
// have been read yet.
func (c *Coordinator) loseKnownDead(ctx context.Context) error {
	if len(c.knownDead) == 0 {
		return nil
	}

	var found []string
	match := func(_ dag.StageID, a *attempt) bool {
		if c.knownDead[a.worker] {
			found = append(found, a.worker)
		}
		return c.knownDead[a.worker]
	}

	err := c.recordLosses(ctx, match, "its worker died")
	for _, id := range found {
		delete(c.knownDead, id)
	}
	return err
}

// reportLost is the reason for the loss of an attempt that has ended. The attempt is not to blame.
const reportLost = "Redis lost its report"

// recordLosses records the loss of the claimed attempts that match. A stage that has killed too
// many workers fails.
func (c *Coordinator) recordLosses(ctx context.Context, match func(dag.StageID, *attempt) bool, why string) error {
	var decisions []journal.Decision
	var lost []dag.StageID
	for s, a := range c.inflight.attempts {
		if a.worker == "" || !match(s, a) {
			continue
		}

		lost = append(lost, s)
		d := journal.Decision{Kind: journal.Revoke, Record: journal.Record{
			Type: journal.StageLost, Stage: s, Attempt: a.number, Text: fmt.Sprintf("%s (%s)", why, a.worker)}}
		if why != reportLost && c.losses.poison(s) {
			d = journal.Decision{Kind: journal.EndForced, Record: journal.Record{
				Type: journal.StageFailed, Stage: s, Attempt: a.number, Fatal: true, Text: poisonText(a.worker)}}
		}
		decisions = append(decisions, d)
	}

	return c.recorder.revoke(ctx, c.position, c.inflight.expected(lost), decisions)
}

// endCancelled ends attempts of a cancelled run that have not stopped within the grace. Stages that
// clean up have all the time that they need.
func (c *Coordinator) endCancelled(ctx context.Context, now time.Time) error {
	if c.cancelling.IsZero() || now.Sub(c.cancelling) < c.Grace {
		return nil
	}

	why := "it did not stop within " + c.Grace.String()
	if c.Grace == 0 {
		why = "it was not waited for"
	}

	var decisions []journal.Decision
	for s, a := range c.inflight.attempts {
		if a.worker != "" && c.stages.kind(s).Trigger != dag.AllDone {
			decisions = append(decisions, journal.Decision{Kind: journal.EndForced, Record: journal.Record{
				Type: journal.StageCancelled, Stage: s, Attempt: a.number, Text: why}})
		}
	}
	return c.recorder.decide(ctx, c.position, decisions)
}
