package coordinator

import (
	"context"
	"log/slog"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/spec"
)

// Lease is how long a coordinator owns a run without renewing its lease.
const Lease = 3 * time.Second

// Config says what a coordinator works with. Dead, Hurry, Observe, Reread and Unschedulable may be
// nil.
type Config struct {
	ID string // of the coordinator
	// fingerprint of the key with which it signs: workers with another key do not count
	Key     string
	Journal *journal.Journal
	Fleet   *fleet.Fleet
	Queue   Queue
	Logger  *slog.Logger
	// how long stages have to stop when the run is cancelled
	Grace time.Duration

	MaxBatch int  // stages in one task at most; 0 means 256, 1 that every stage travels alone
	NoFuse   bool // no stage shares a task with the one that it depends on

	// how long stages may wait for a worker that can execute them; 0: without limit
	NoWorker time.Duration

	Dead <-chan string // IDs of workers that are known to be dead
	// is closed when a cancelled run must not wait for its stages any longer, whatever the grace
	Hurry   <-chan struct{}
	Observe func([]journal.Entry) // is called with every entry of the journal, in order
	// is called when the journal has lost its end; Observe then begins again
	Reread        func()
	Unschedulable func([]fleet.Unschedulable) // is called twice a second
}

// Run is a run whose epoch the coordinator has acquired.
type Run struct {
	ID          journal.RunID
	Spec        *spec.Spec
	Digest      string // of the spec
	Incarnation string // see [journal.Identity]
	Epoch       int64
}

// Queue takes tasks to workers.
type Queue interface {
	EnqueueAll(ctx context.Context, queue string, tasks ...queue.Task) error
	Pending(queue, id string) (bool, error)
	Remove(queue, id string) error
	Paused(queue string) (key string, err error)
	RequeuedAttempts(queue string) (first map[string]bool, err error)
}
