package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/godags/godags/internal/journal"
)

// workers are the workers that were started for one run. Both may be nil: then workers elsewhere
// execute its stages.
type workers struct {
	local     *local
	processes *processes
	dead      <-chan string // ids of worker processes that died
}

// startWorkers starts the workers that the options ask for.
func (s *Session) startWorkers(ctx context.Context, o RunOptions) (w workers, err error) {
	names := queues(o.Spec)
	if o.Concurrency > 0 {
		w.local, err = s.startLocal(ctx, WorkerOptions{
			ID:          NewWorkerID(""),
			Queues:      names,
			Concurrency: o.Concurrency,
			Run:         s.exclusive(o.ID),
		})
		if err != nil {
			return w, err
		}
	}

	if o.Children > 0 {
		w.processes, err = startProcesses(ctx, s, o.Children, names, s.exclusive(o.ID))
		// The worker in this process runs already.
		if err != nil {
			return w, errors.Join(err, w.stop())
		}
		w.dead = w.processes.dead
	}

	return w, nil
}

// exclusive returns the run if its workers must serve no other. On a private or embedded Redis
// every command has workers for its own run only. A worker that took a stage of another run would
// execute it in the wrong folder, and drop it when its own run ends.
func (s *Session) exclusive(run journal.RunID) journal.RunID {
	if s.External() {
		return ""
	}
	return run
}

// onEntries tells the worker in this process when the coordinator has replaced attempts. The worker
// then stops them at once, and not at its next heartbeat, by which time the new attempts may run.
func (w workers) onEntries(entries []journal.Entry) {
	if w.local == nil {
		return
	}
	if slices.ContainsFunc(entries, revokes) {
		w.local.worker.Listen()
	}
}

// revokes reports whether a coordinator ended attempts with an entry.
func revokes(e journal.Entry) bool {
	// A worker knows about the ends that it reported itself.
	return e.Worker == "" && slices.ContainsFunc(e.Records, func(r journal.Record) bool {
		return r.Type == journal.StageLost || r.Type == journal.StageFailed || r.Type == journal.StageCancelled
	})
}

// stop stops the workers.
func (w workers) stop() (err error) {
	if w.processes != nil {
		err = w.processes.stop()
	}
	if w.local != nil {
		err = errors.Join(err, w.local.stop())
	}
	return err
}
