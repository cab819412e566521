package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// crew is the workers that were started for one run.
type crew struct {
	local    *local
	children *children
	dead     <-chan string
}

func (s *Session) hire(ctx context.Context, o RunOptions) (c crew, err error) {
	names := queues(o.Spec)
	if o.Concurrency > 0 {
		if c.local, err = s.startLocal(ctx, WorkerOptions{ID: NewWorkerID(""), Queues: names, Concurrency: o.Concurrency, Run: s.only(o.ID)}); err != nil {
			return c, err
		}
	}

	if o.Children > 0 {
		if c.children, err = s.startChildren(ctx, o.Children, names, s.only(o.ID)); err != nil {
			return c, errors.Join(err, c.dismiss())
		}
		c.dead = c.children.dead
	}

	return c, nil
}

// only returns the run if its workers must serve no other. Where every command has workers for its
// own run only, one that took a stage of another run would execute it in the wrong place, and give
// it up when its own run ends.
func (s *Session) only(run journal.RunID) journal.RunID {
	if s.External() {
		return ""
	}
	return run
}

// cleanUp removes the queues of a run that had its own.
func (s *Session) cleanUp(ctx context.Context, run *runstate.Run) (err error) {
	if !run.State.Finished() || s.only(run.ID) == "" {
		return nil
	}
	own := s.queue.Own(string(run.ID))
	for _, name := range queues(run.Spec) {
		err = errors.Join(err, own.RemoveQueue(context.WithoutCancel(ctx), name))
	}
	return err
}

// heed tells the worker in this process when the coordinator has given up attempts: what is
// executed of them ends before others begin.
func (c crew) heed(entries []journal.Entry) {
	if c.local == nil {
		return
	}

	for _, e := range entries {
		if e.Worker == "" && slices.ContainsFunc(e.Records, endsAttempt) {
			c.local.worker.Listen()
			return
		}
	}
}

func endsAttempt(r journal.Record) bool {
	return r.Type == journal.StageLost || r.Type == journal.StageFailed || r.Type == journal.StageCancelled
}

func (c crew) dismiss() (err error) {
	if c.children != nil {
		err = c.children.stop()
	}
	if c.local != nil {
		err = errors.Join(err, c.local.stop())
	}
	return err
}
