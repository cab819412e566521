package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/version"
)

// Worker describes a worker, as of its last heartbeat. Whether it can execute stages of a run is
// asked in steps:
//
//	         recent heartbeat   takes the run   healthy   reads the format
//	Alive           x
//	Serves          x                 x
//	Reads                                                        x
//	Able                                           x             x
//
// A worker executes stages of a run if it Serves the run, is Able, and has the Key of the run.
type Worker struct {
	ID     string        `json:"-"`
	Age    time.Duration `json:"-"` // of the last heartbeat, by the clock of Redis
	Host   string        `json:"host"`
	PID    int           `json:"pid"`
	Queues []string      `json:"queues"`
	// the only run that it serves; empty: it serves all runs
	Run   journal.RunID `json:"run,omitempty"`
	Slots int           `json:"slots"` // stages that it can execute at once
	Busy  int           `json:"busy"`  // batches that it holds: of each, at most one stage runs
	// digest of its list of task names: see [Fleet.Handlers]
	Handlers string `json:"handlers,omitempty"`
	Format   int    `json:"format,omitempty"` // that it reads: [version.Format]
	Version  string `json:"version"`          // of godags
	// Unhealthy is why the worker cannot execute stages and takes none; empty if it can.
	Unhealthy string    `json:"unhealthy,omitempty"`
	Key       string    `json:"key"`     // fingerprint of the key with which stages must be signed
	Started   time.Time `json:"started"` // by its own clock

	Workload
}

// Workload is what a worker has taken and not finished, as of its last heartbeat.
type Workload struct {
	// Holds lists the attempts that the worker has claimed and not yet reported. It is nil if the
	// version of the worker does not write this field.
	Holds map[journal.RunID][]journal.AttemptID `json:"holds"`

	// Delivered lists the IDs of tasks that the worker has taken from a queue, and of which it has
	// claimed nothing yet.
	Delivered []string `json:"delivered,omitempty"`
}

// Alive reports whether the worker's last heartbeat is recent.
func (w Worker) Alive() bool { return w.Age < WorkerTTL }

// Serves reports whether the worker is alive and takes stages of the run.
func (w Worker) Serves(run journal.RunID) bool {
	return w.Alive() && (w.Run == "" || w.Run == run)
}

// Able reports whether the worker can execute the stages that this program submits: it is healthy,
// and reads their pipelines.
func (w Worker) Able() bool { return w.Unhealthy == "" && w.Reads() }

// Reads reports whether the worker reads the pipelines that this program writes.
func (w Worker) Reads() bool { return w.Format == 0 || w.Format == version.Format }

// Heartbeat records that a worker is alive.
func (f *Fleet) Heartbeat(ctx context.Context, w Worker) error {
	if err := f.heartbeat(ctx, workersKey, w.ID, w); err != nil {
		return fmt.Errorf("worker %s: heartbeat: %w", w.ID, err)
	}
	return nil
}

// Remove removes a worker from the list. It may already be gone.
func (f *Fleet) Remove(ctx context.Context, worker string) error {
	if err := f.rdb.HDel(ctx, workersKey, worker).Err(); err != nil {
		return fmt.Errorf("worker %s: leave: %w", worker, err)
	}
	return nil
}

// Workers lists the workers with a heartbeat in the last minute, live and dead ones.
func (f *Fleet) Workers(ctx context.Context) ([]Worker, error) {
	var workers []Worker
	err := f.members(ctx, workersKey, func(id string, age time.Duration, info []byte) {
		var w Worker
		// Another program wrote this entry. A newer godags adds fields, which are no error.
		if json.Unmarshal(info, &w) != nil {
			return
		}
		w.ID = id
		w.Age = age
		workers = append(workers, w)
	})
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}

	return workers, nil
}
