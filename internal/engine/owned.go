package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/runstate"
)

// ownedRun is a run that this process coordinates, or will coordinate once it has the lease.
type ownedRun struct {
	session  *Session
	queue    *queue.Client // that workers of the run listen on
	options  RunOptions
	id       string // of the coordinator
	identity journal.Identity
	epoch    int64 // in which the run is ours; 0: another coordinator may own it
	state    *runstate.Run
}

// newOwnedRun returns the run that the options name, for a coordinator with an ID.
func newOwnedRun(s *Session, o RunOptions, id string, identity journal.Identity, epoch int64) (*ownedRun, error) {
	signing, err := s.signing()
	if err != nil {
		return nil, err
	}

	return &ownedRun{
		session:  s,
		queue:    signing.queue.ForRun(string(s.exclusive(o.ID))),
		options:  o,
		id:       id,
		identity: identity,
		epoch:    epoch,
		state:    runstate.New(o.ID, o.Spec),
	}, nil
}

// driveOrFollow brings a run to its end: it drives the run while this process owns it, and follows
// it while another coordinator does.
func (r *ownedRun) driveOrFollow(ctx context.Context) (*runstate.Run, error) {
	f := newFollower(r.session, r.options, r.state)
	for {
		if r.epoch == 0 {
			var err error
			if r.epoch, err = f.waitForTakeover(ctx, r.id); r.epoch == 0 {
				return r.state, err
			}
		}

		r.options.tell(Owns, r.id)
		err := r.driveWithWorkers(ctx)
		if !errors.Is(err, journal.ErrFenced) || ctx.Err() != nil {
			return r.state, err
		}

		// This process was paused for longer than the lease, and another one took the run over.
		r.epoch = 0
	}
}

// driveWithWorkers starts workers and drives a run that is ours. When ctx is done, it cancels the
// run, unless the cause is [ErrHandOver]. It releases a run that it must leave unfinished.
func (r *ownedRun) driveWithWorkers(ctx context.Context) error {
	s := r.session
	w, err := s.startWorkers(ctx, r.options)
	if err == nil {
		err = errors.Join(r.drive(ctx, w), w.stop(), r.removeQueues(ctx))
	}

	if r.state.DAG.Finished() {
		// Old runs are removed here because without `coordinator serve` no other process does it.
		s.Sweep(ctx, r.options.ID)
		return err
	}
	if errors.Is(err, journal.ErrFenced) || errors.Is(err, journal.ErrNotFound) {
		return err
	}

	// Without a lease the next coordinator need not wait until ours expires. If the release takes
	// longer than the lease, it gains nothing.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), coordinator.Lease)
	defer cancel()
	return errors.Join(err, s.Journal.Release(bounded, r.options.ID, r.id, r.epoch))
}

// drive coordinates a run with the workers that were started for it. It leaves the run if those
// workers die as soon as they start, and there are no others.
func (r *ownedRun) drive(ctx context.Context, w workers) error {
	var damaged error
	cfg := r.coordinatorConfig(w)
	cfg.Observe = func(entries []journal.Entry) {
		w.onEntries(entries)
		if damaged == nil {
			damaged = r.state.ApplyNew(entries, r.options.observe(r.state))
		}
	}

	// What no worker can execute is explained by the run itself: see [runstate.Explainer]. The call
	// only serves as a clock.
	cfg.Unschedulable = func([]fleet.Unschedulable) { r.options.tick(r.state) }
	cfg.Reread = func() { *r.state = *runstate.New(r.state.ID, r.state.Spec) }

	// The coordinator continues when ctx is done: it has to cancel the run in order.
	driving, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	defer leave(nil)

	stop := context.AfterFunc(ctx, func() { r.cancel(driving, leave, context.Cause(ctx)) })
	defer stop()

	if w.processes != nil && w.local == nil && !r.session.External() {
		forget := context.AfterFunc(w.processes.stopped, func() { leave(w.processes.gaveUp()) })
		defer forget()
	}

	_, err := coordinator.Drive(driving, cfg, coordinator.Run{
		ID:          r.options.ID,
		Spec:        r.options.Spec,
		Digest:      r.identity.Digest,
		Incarnation: r.identity.Incarnation,
		Epoch:       r.epoch,
	})
	if errors.Is(err, journal.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrStateLost, err)
	}
	return errors.Join(err, damaged)
}

func (r *ownedRun) coordinatorConfig(w workers) coordinator.Config {
	s := r.session
	o := r.options

	return coordinator.Config{
		ID:       r.id,
		Key:      r.queue.Fingerprint(),
		Journal:  s.Journal,
		Fleet:    s.Fleet,
		Queue:    r.queue,
		Logger:   s.Logger,
		Grace:    o.Grace,
		Hurry:    o.Hurry,
		MaxBatch: o.MaxBatch,
		NoFuse:   o.NoFuse,
		NoWorker: o.NoWorker,
		Dead:     w.dead,
	}
}

// cancel requests that the run is cancelled, and leaves it if that takes too long. It leaves a run
// that is handed over at once.
func (r *ownedRun) cancel(ctx context.Context, leave context.CancelCauseFunc, cause error) {
	if errors.Is(cause, ErrHandOver) {
		leave(cause)
		return
	}

	if _, err := r.session.Journal.RequestCancel(ctx, r.options.ID, cause.Error()); err != nil {
		leave(fmt.Errorf("cannot cancel the run: %w", err))
		return
	}

	// Stages with all_done run even then, for as long as they need. Without them the stages have
	// the grace, and their outcomes a few seconds more to arrive.
	if !r.options.Spec.CleansUp() {
		time.AfterFunc(r.options.Grace+5*time.Second, func() { leave(cause) })
	}
}

// removeQueues removes the private queues of a finished run.
func (r *ownedRun) removeQueues(ctx context.Context) (err error) {
	if !r.state.DAG.Finished() || r.session.exclusive(r.options.ID) == "" {
		return nil
	}

	// Even if ctx is done: queues that remain would be shown in asynqmon for ever.
	for _, name := range queues(r.options.Spec) {
		err = errors.Join(err, r.queue.RemoveQueue(context.WithoutCancel(ctx), name))
	}
	return err
}
