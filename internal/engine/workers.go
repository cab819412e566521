package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/version"
	"github.com/godags/godags/internal/worker"
	"github.com/godags/godags/tasks"
)

// WorkerOptions say which stages a worker executes, and how.
type WorkerOptions struct {
	ID          string // unique among workers
	Queues      []string
	Concurrency int
	Run         journal.RunID // the only run to serve; empty: all
	User        *command.User // as whom commands of stages run; nil: the user of this process

	// Registry says what the worker can execute; nil for what the session can.
	Registry *tasks.Registry
}

// NewWorkerID returns a unique id for a worker with the given name; empty means the name of the
// host.
func NewWorkerID(name string) string {
	return WorkerName(name) + "-" + strings.ToLower(rand.Text()[:6])
}

// WorkerName returns the name, or that of the host if it is empty.
func WorkerName(name string) string {
	if name == "" {
		return hostname()
	}
	return name
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "worker"
	}
	return host
}

// Worker is a worker in this process.
type Worker struct {
	*worker.Worker
	close func() error
}

// NewWorker returns a worker that has not started.
func (s *Session) NewWorker(o WorkerOptions) (*Worker, error) {
	signing, err := s.signing()
	if err != nil {
		return nil, err
	}

	// A worker has separate connections, since each of its dequeues occupies one while it waits.
	client := s.Conn.NewClient()
	w := worker.New(worker.Config{
		Info: fleet.Worker{
			ID:      o.ID,
			Host:    hostname(),
			PID:     os.Getpid(),
			Queues:  o.Queues,
			Slots:   o.Concurrency,
			Run:     o.Run,
			Key:     signing.key.Fingerprint(),
			Version: version.String(),
			Started: time.Now().UTC().Truncate(time.Second),
		},
		Client:   client,
		Journal:  s.Journal,
		Fleet:    s.Fleet,
		Queue:    signing.queue.ForRun(string(o.Run)),
		Key:      signing.key,
		Registry: cmp.Or(o.Registry, s.Registry),
		Stores:   s.Stores,
		Logger:   s.Logger,
		User:     o.User,
	})

	return &Worker{w, client.Close}, nil
}

// Run executes stages; see [worker.Worker.Run].
func (w *Worker) Run(drain, abort context.Context, ready func()) error {
	return errors.Join(w.Worker.Run(drain, abort, ready), w.close())
}

// local is a worker in this process for the time of one run.
type local struct {
	worker       *Worker
	drain, abort context.CancelFunc
	done         chan struct{}
	err          error // once done is closed
}

// startLocal starts a worker and returns when it takes stages.
func (s *Session) startLocal(ctx context.Context, o WorkerOptions) (*local, error) {
	w, err := s.NewWorker(o)
	if err != nil {
		return nil, err
	}

	// The worker outlives ctx: stages with all_done are executed while the run is being cancelled.
	base := context.WithoutCancel(ctx)
	drain, stopDrain := context.WithCancel(base)
	abort, stopAbort := context.WithCancel(base)
	l := &local{worker: w, drain: stopDrain, abort: stopAbort, done: make(chan struct{})}

	ready := make(chan struct{})
	var once sync.Once
	go func() {
		defer close(l.done)
		l.err = w.Run(drain, abort, func() { once.Do(func() { close(ready) }) })
	}()

	select {
	case <-ready:
		return l, nil
	case <-l.done:
		stopDrain()
		stopAbort()
		return nil, l.err
	case <-ctx.Done():
		// Redis does not accept the first heartbeat, and the worker would try for ever.
		return nil, errors.Join(context.Cause(ctx), l.stop())
	}
}

// abandonAfter is how long a handler in this process may ignore that its context is done.
const abandonAfter = 3 * time.Second

// stop stops the worker. A goroutine cannot be killed, so stop does not wait for ever for a handler
// that ignores its context.
func (l *local) stop() error {
	l.drain()
	l.abort()
	select {
	case <-l.done:
		return l.err
	case <-time.After(abandonAfter):
		return stillRunning(l.worker.Executing())
	}
}

func stillRunning(stages []string) error {
	if len(stages) == 0 {
		return fmt.Errorf("the worker in this process has not stopped within %s", abandonAfter)
	}
	return fmt.Errorf("stage %s is still running %s after its context was done: its function must return then",
		strings.Join(stages, ", "), abandonAfter)
}
