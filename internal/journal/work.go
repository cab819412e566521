package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/godags/godags/internal/spec"
)

// Control is what a worker should do with an attempt that it executes.
type Control int64

// The orders.
const (
	GoOn  Control = 0
	Stop  Control = 1 // the run is being cancelled: stop, and report so
	Yield Control = 2 // the claim is void: stop, there is nothing to report
)

// Check returns the orders for attempts that were claimed with the token.
func (j *Journal) Check(ctx context.Context, run RunID, token Token, attempts []AttemptID) ([]Control, error) {
	args := append(make([]any, 0, 1+2*len(attempts)), token[:])
	for _, a := range attempts {
		args = append(args, uint32(a.Stage), uint16(a.Attempt))
	}

	flags, err := j.flags(ctx, checkScript, run, []string{j.key(run, "run"), j.key(run, "fence")}, len(attempts), args)
	orders := make([]Control, len(flags))
	for i, f := range flags {
		orders[i] = Control(f)
	}
	return orders, err
}

// SaveLog keeps what an attempt has printed so far, while the claim with the token holds.
func (j *Journal) SaveLog(ctx context.Context, run RunID, token Token, a AttemptID, log []byte) error {
	keys := []string{j.key(run, "run"), j.key(run, "fence"), j.key(run, "log")}
	return named(run, saveLogScript.Run(ctx, j.rdb, keys, uint32(a.Stage), uint16(a.Attempt), token[:], log).Err())
}

func logField(a AttemptID) string {
	return strconv.Itoa(int(a.Stage)) + ":" + strconv.Itoa(int(a.Attempt))
}

// WorkerInfo is what a worker says of itself.
type WorkerInfo struct {
	ID     string        `json:"-"`
	Age    time.Duration `json:"-"` // since its last beat, by the clock of Redis
	Host   string        `json:"host"`
	PID    int           `json:"pid"`
	Queues []string      `json:"queues"`
	// the only run that it serves; empty: it serves all
	Run   RunID `json:"run,omitempty"`
	Slots int   `json:"slots"` // stages that it executes at once
	Busy  int   `json:"busy"`  // stages that it executes now
	// digest of its list of handlers: see [Journal.Handlers]
	Handlers string `json:"handlers,omitempty"`
	Format   int    `json:"format,omitempty"` // of pipelines that it reads: [spec.Format]
	Version  string `json:"version"`          // of godags
	// Unhealthy is why it cannot execute stages, and takes none; empty if it can.
	Unhealthy string    `json:"unhealthy,omitempty"`
	Key       string    `json:"key"`     // fingerprint of the key with which stages must be signed
	Started   time.Time `json:"started"` // by its own clock

	// Holds is what it has claimed, and not reported yet. It is nil if the worker is of a version
	// that does not say so.
	Holds map[RunID][]AttemptID `json:"holds"`

	// Delivered are the ids of tasks that it has taken from a queue, and has claimed nothing of
	// yet.
	Delivered []string `json:"delivered,omitempty"`
}

// WorkerTTL is how long after its last beat a worker is taken for dead.
const WorkerTTL = 3 * time.Second

// BeatEvery is how often a worker should say that it lives.
const BeatEvery = 500 * time.Millisecond

// Alive reports whether the worker's last beat is recent.
func (w WorkerInfo) Alive() bool { return w.Age < WorkerTTL }

// Serves reports whether the worker lives and takes stages of the run.
func (w WorkerInfo) Serves(run RunID) bool { return w.Alive() && (w.Run == "" || w.Run == run) }

// Able reports whether the worker can execute the stages that this program submits: it is well, and
// reads their pipelines.
func (w WorkerInfo) Able() bool { return w.Unhealthy == "" && w.Reads() }

// Reads reports whether the worker reads the pipelines that this program writes.
func (w WorkerInfo) Reads() bool { return w.Format == 0 || w.Format == spec.Format }

// Beat says that a worker lives.
func (j *Journal) Beat(ctx context.Context, w WorkerInfo) error {
	if err := j.beat(ctx, workersKey, w.ID, w); err != nil {
		return fmt.Errorf("worker %s: heartbeat: %w", w.ID, err)
	}
	return nil
}

// Leave takes a worker off the list.
func (j *Journal) Leave(ctx context.Context, worker string) error {
	if err := j.rdb.HDel(ctx, workersKey, worker).Err(); err != nil {
		return fmt.Errorf("worker %s: leave: %w", worker, err)
	}
	return nil
}

// Workers lists the workers that have said something in the last minute.
func (j *Journal) Workers(ctx context.Context) ([]WorkerInfo, error) {
	var workers []WorkerInfo
	err := j.heard(ctx, workersKey, func(id string, age time.Duration, info []byte) {
		w := WorkerInfo{}
		if json.Unmarshal(info, &w) != nil {
			return // somebody else's entry
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
