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
	// ErrActive says that a run cannot be retried because it is not finished.
	ErrActive = errors.New("the run is not finished")
	// ErrNoStage says that a run has no stage of a name.
	ErrNoStage = errors.New("no such stage")
)

// Retry executes stages of a finished run again, in place, and coordinates the run to its end. It
// executes the named stage or, without a name, the stages that failed or were cancelled; and all
// stages downstream of those. What succeeded otherwise stays. A run without such stages is returned
// as it is. If another process reopens the run first, Retry follows it.
func (s *Session) Retry(ctx context.Context, o RunOptions, stage string) (*runstate.Run, error) {
	run, err := s.existing(ctx, o, NewWorkerID(""))
	if err != nil {
		return nil, err
	}

	run.epoch, err = s.reopen(ctx, run.options, stage, run.id)
	if err != nil && !errors.Is(err, journal.ErrFenced) {
		return nil, err
	}
	return run.driveOrFollow(ctx)
}

// RequestRetry reopens a finished run as [Session.Retry] does, and leaves it to a coordinator that
// serves the Redis. A run in which nothing failed or was cancelled stays finished.
func (s *Session) RequestRetry(ctx context.Context, id journal.RunID, stage string) error {
	o := RunOptions{ID: id}
	var err error
	if o.Spec, _, err = s.specs.load(ctx, id); err != nil {
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

// reopen makes a finished run active again. The epoch is 0 if there is nothing to execute.
func (s *Session) reopen(ctx context.Context, o RunOptions, name, coordinatorID string) (epoch int64, err error) {
	// The epoch is read before the journal: if another process reopens the run in between, the
	// script refuses our epoch as old.
	owners, err := s.Journal.Ownerships(ctx, o.ID)
	if err != nil {
		return 0, err
	}

	// Nothing is shown here: the run is observed from its first entry once it is driven.
	run := runstate.New(o.ID, o.Spec)
	if err := newFollower(s, RunOptions{ID: o.ID}, run).catchUp(ctx); err != nil {
		return 0, err
	}
	// Both must say so: the journal is read later than the ownership, and another process may have
	// reopened the run in between.
	if !run.DAG.Finished() || !owners[0].Finished {
		return 0, fmt.Errorf("run %s: %w", o.ID, ErrActive)
	}

	stage, err := stageNamed(run, name)
	if err != nil {
		return 0, err
	}

	again, err := run.DAG.Reopened(stage)
	if err != nil || len(again) == 0 {
		return 0, err
	}

	return s.Journal.Reopen(ctx, journal.Reopening{
		Run:         o.ID,
		Epoch:       owners[0].Epoch,
		Stage:       stage,
		Again:       again,
		Coordinator: coordinatorID,
		Lease:       coordinator.Lease,
	})
}

// stageNamed returns the stage of a run with a name, and [dag.NoStage] for no name.
func stageNamed(run *runstate.Run, name string) (dag.StageID, error) {
	if name == "" {
		return dag.NoStage, nil
	}

	var names []string
	for s := range run.DAG.Stages() {
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
