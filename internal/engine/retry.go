package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/runstate"
)

var (
	// ErrGoesOn says that a run cannot be tried again because it has not ended.
	ErrGoesOn = errors.New("the run has not ended")
	// ErrNoStage says that a run has no stage of a name.
	ErrNoStage = errors.New("no such stage")
)

// Retry executes stages of a finished run again, in place, and sees it to its end: the named stage
// or, without a name, those that failed or were cancelled, and all that comes after them. What is
// good stays. A run without such stages is returned as it is. If somebody else is quicker to do so
// the run is followed.
func (s *Session) Retry(ctx context.Context, o RunOptions, stage string) (*runstate.Run, error) {
	run, err := s.load(ctx, &o)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return nil, err
	}

	id := NewWorkerID("")
	epoch, err := s.reopen(ctx, o, stage, id)
	if err != nil && !errors.Is(err, journal.ErrFenced) {
		return nil, err
	}

	return s.conduct(ctx, s.driver(o, id), o, run, epoch)
}

// RequestRetry reopens a finished run as [Session.Retry] does, and leaves it to a coordinator that
// serves the Redis. A run in which nothing failed or was cancelled stays finished.
func (s *Session) RequestRetry(ctx context.Context, id journal.RunID, stage string) error {
	o := RunOptions{ID: id}
	if _, err := s.load(ctx, &o); err != nil {
		return err
	}

	coordinatorID := NewWorkerID("")
	epoch, err := s.reopen(ctx, o, stage, coordinatorID)
	if err != nil || epoch == 0 {
		return err
	}

	// Without a lease the next coordinator need not wait until ours expires.
	return s.Journal.Release(ctx, id, coordinatorID, epoch)
}

// reopen lets a finished run go on. The epoch is 0 if there is nothing to do.
func (s *Session) reopen(ctx context.Context, o RunOptions, name, id string) (epoch int64, err error) {
	// before the journal is read: what happens meanwhile makes the epoch an old one
	leads, err := s.Journal.Ownerships(ctx, o.ID)
	if err != nil {
		return 0, err
	}

	run := runstate.New(o.ID, o.Spec)
	if err := s.catchUp(ctx, run, RunOptions{}); err != nil {
		return 0, err
	}
	if !run.State.Finished() || !leads[0].Finished {
		return 0, fmt.Errorf("run %s: %w", o.ID, ErrGoesOn)
	}

	stage, err := named(run, name)
	if err != nil {
		return 0, err
	}

	again, err := run.State.Reopened(stage)
	if err != nil || len(again) == 0 {
		return 0, err
	}

	return s.Journal.Reopen(ctx, journal.Reopening{Run: o.ID, Epoch: leads[0].Epoch, Stage: stage, Again: again,
		Coordinator: id, Lease: coordinator.Lease})
}

// named returns the stage of a run that has a name; [dag.NoStage] for none.
func named(run *runstate.Run, name string) (dag.StageID, error) {
	if name == "" {
		return dag.NoStage, nil
	}

	var names []string
	for s := range run.State.Stages() {
		if run.Name(s) == name {
			return s, nil
		}
		names = append(names, run.Name(s))
	}

	err := fmt.Errorf("run %s: %w as %q", run.ID, ErrNoStage, name)
	if near := nearest.Name(name, names); near != "" {
		err = fmt.Errorf("%w: did you mean %q?", err, near)
	}
	return dag.NoStage, err
}
