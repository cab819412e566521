package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

func (s *Session) driver(o RunOptions, id string) coordinator.Config {
	return coordinator.Config{ID: id, Key: s.queue.Fingerprint(), Journal: s.Journal, Fleet: s.Fleet, Queue: s.queue.Own(string(s.only(o.ID))), Logger: s.Logger,
		Grace: o.Grace, Hurry: o.Hurry, MaxBatch: o.MaxBatch, NoFuse: o.NoFuse, NoWorker: o.NoWorker}
}

// drive hires workers and drives a run that is ours. When ctx is done, it cancels the run, unless
// the cause is [ErrHandOver]. A run that it must leave unfinished is given up.
func (s *Session) drive(ctx context.Context, cfg coordinator.Config, o RunOptions, run *runstate.Run, id journal.Identity, epoch int64) error {
	crew, err := s.hire(ctx, o)
	if err == nil {
		cfg.Dead = crew.dead
		err = errors.Join(s.lead(ctx, cfg, o, run, crew, id, epoch), crew.dismiss(), s.cleanUp(ctx, run))
	}

	if run.State.Finished() {
		s.Sweep(ctx, run.ID)
		return err
	}
	if errors.Is(err, journal.ErrFenced) || errors.Is(err, journal.ErrNotFound) {
		return err
	}

	// then nobody waits for us any more
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), coordinator.Lease)
	defer cancel()
	return errors.Join(err, s.Journal.Release(bounded, o.ID, cfg.ID, epoch))
}

// lead drives a run with the workers that were hired for it. It leaves the run if there are no
// workers and never will be.
func (s *Session) lead(ctx context.Context, cfg coordinator.Config, o RunOptions, run *runstate.Run, crew crew, id journal.Identity, epoch int64) error {
	var damaged error
	cfg.Observe = func(entries []journal.Entry) {
		crew.heed(entries)
		if damaged == nil {
			damaged = run.Catch(entries, o.observe(run))
		}
	}

	// What no worker can execute is explained by the run itself: see [runstate.Explainer].
	cfg.Unschedulable = func([]fleet.Unschedulable) { o.tick(run) }
	cfg.Reread = func() { *run = *runstate.New(run.ID, run.Spec) }
	driving, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	defer leave(nil)

	stop := context.AfterFunc(ctx, func() { s.cancel(driving, leave, o, context.Cause(ctx)) })
	defer stop()

	if crew.children != nil && crew.local == nil && !s.External() {
		forget := context.AfterFunc(crew.children.stopped, func() { leave(crew.children.gaveUp()) })
		defer forget()
	}

	_, err := coordinator.Drive(driving, cfg, coordinator.Run{
		ID: o.ID, Spec: o.Spec, Digest: id.Digest, Incarnation: id.Incarnation, Epoch: epoch})
	if errors.Is(err, journal.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrStateLost, err)
	}
	return errors.Join(err, damaged)
}

// cancel asks for the end of the run, and leaves it alone if that does not come about in time. A
// run that is handed over is left at once.
func (s *Session) cancel(ctx context.Context, leave context.CancelCauseFunc, o RunOptions, cause error) {
	if errors.Is(cause, ErrHandOver) {
		leave(cause)
		return
	}

	if _, err := s.Journal.RequestCancel(ctx, o.ID, cause.Error()); err != nil {
		leave(fmt.Errorf("cannot cancel the run: %w", err))
		return
	}

	if !o.Spec.CleansUp() { // which takes the time that it takes
		time.AfterFunc(o.Grace+5*time.Second, func() { leave(cause) })
	}
}
