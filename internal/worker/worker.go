// Package worker executes stages: it takes batches from a queue, claims their attempts, runs the
// handlers and reports how they ended.
//
// It has three parts. A [Worker] has the lifecycle: its heartbeats, its health, and the batches
// that it holds. Package delivery decides what becomes of the attempts of one batch. Package
// execution executes one attempt.
//
// The way of a batch:
//
//	coordinator   batch                               attempts that are sent together
//	queue         Task, with a Batch of Items         signed, in Redis
//	worker        batch                               as it was delivered; it has the lock
//	  delivery    Machine                             what to claim, start, report and requeue
//	  execution   Batch, with an Attempt at a time    the spec, inputs, the handler, the outcome
//	journal       Step of Ops                         outcomes and the next claims, in one call
//
// What stops attempts. Attempts that are not claimed are requeued, or stay with their coordinator:
//
//	event                      new batches   claimed, not started   running
//	drain                      no            executed               continues
//	abort, after drain         no            lost                   stopped
//	unhealthy (Server.Hold)    not now       lost                   continues
//	unreachable for 2.75 s     not now       lost                   stopped
//	suspended                  -             wait for a heartbeat   waits for a heartbeat
//	the run is cancelled       -             cancelled              stopped
//	claim revoked or refused   -             left out               killed
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/retry"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/internal/version"
	"github.com/godags/godags/internal/worker/execution"
	"github.com/godags/godags/tasks"
)

// Config says what a worker is. All fields but User are needed.
type Config struct {
	Info     fleet.Worker
	Client   redis.UniversalClient // the worker's own: the queue puts a hook on it
	Journal  *journal.Journal
	Fleet    *fleet.Fleet
	Queue    *queue.Client // for what the worker returns to the queue
	Key      sign.Key      // verifies tasks and signs outputs
	Registry *tasks.Registry
	Stores   *values.Stores
	Logger   *slog.Logger
	User     *command.User // as whom commands of stages run; nil is the user of this process
}

// Worker executes stages until it is told to stop.
type Worker struct {
	Config
	server    *queue.Server
	executor  *execution.Executor
	batches   batches
	heartbeat heartbeat
	health    *health

	draining atomic.Bool     // nothing more is claimed
	abort    context.Context // done when the worker was told to stop at once
	beats    *fleet.Fleet    // on a separate connection: a large value must not delay a heartbeat
	poll     chan struct{}   // holds an element when the controls of attempts are to be asked for
}

// New returns a worker that has not started.
func New(cfg Config) *Worker {
	cfg.Info.Format = version.Format
	cfg.Info.Handlers = fleet.HandlersDigest(cfg.Registry.Names())

	health := newHealth(command.CanExecute)
	w := &Worker{
		Config: cfg,
		executor: execution.NewExecutor(execution.Config{
			Worker: cfg.Info.ID, Journal: cfg.Journal, Key: cfg.Key, Registry: cfg.Registry,
			Stores: cfg.Stores, Logger: cfg.Logger, User: cfg.User, Health: health,
		}),
		health: health,
		beats:  fleet.New(cfg.Client),
		poll:   make(chan struct{}, 1),
	}

	w.server = queue.NewServer(cfg.Client, queue.ServerConfig{
		Queues: cfg.Info.Queues, Run: string(cfg.Info.Run), Key: cfg.Key, Slots: cfg.Info.Slots,
		Handle: w.handle, Logger: cfg.Logger,
	})
	return w
}

// Why a worker stops its attempts, and starts no others.
var (
	errAborted     = errors.New("the worker was told to stop at once")
	errUnreachable = errors.New("the worker could not reach Redis")
	errSuspended   = errors.New("the worker was suspended")
)

// Run executes stages until drain is done. Then the worker takes no more batches, finishes those
// that it holds, and returns. When abort is done as well, it stops what is still running and
// returns the attempts to the queue. Ready, if not nil, is called once the worker takes batches.
func (w *Worker) Run(drain, abort context.Context, ready func()) error {
	w.abort = abort

	err := w.register(drain)
	if drain.Err() != nil { // it was told to stop before it has started
		w.deregister()
		return nil
	}
	if err != nil {
		return err
	}

	if err := w.retryStart(drain, "take stages", w.server.Start); err != nil {
		w.deregister()
		if drain.Err() != nil {
			return nil
		}
		return err
	}

	// Heartbeats go on while the worker drains: without them its attempts would be lost.
	beats, stopBeats := context.WithCancel(context.WithoutCancel(drain))
	var helpers sync.WaitGroup
	helpers.Go(func() { w.sendHeartbeats(beats) })
	helpers.Go(func() { w.pollControls(beats, stopBeats) })
	helpers.Go(func() { w.saveLogs(beats) })
	helpers.Go(func() { w.monitorHealth(beats) })

	if ready != nil {
		ready()
	}

	<-drain.Done()
	w.draining.Store(true)
	w.server.Stop()

	// Registered only now: an abort without a drain would stop what the server still takes.
	stopAbort := context.AfterFunc(abort, func() { w.batches.stopAll(errAborted) })
	w.server.Shutdown()

	// In this order: a heartbeat after deregister would put the worker on the list again.
	stopAbort()
	stopBeats()
	helpers.Wait()
	w.deregister()
	return nil
}

// register puts the worker on the list of workers, before its first claim: a coordinator must know
// who claims. It waits for a Redis that refuses.
func (w *Worker) register(ctx context.Context) error {
	return w.retryStart(ctx, "be listed", func() error {
		// The heartbeat has the digest of the handlers, so they must be known before it.
		if err := w.publishHandlers(ctx); err != nil {
			return err
		}
		return w.sendHeartbeat(ctx)
	})
}

// retryStart does something at the start of the worker, and repeats it while Redis is unavailable.
func (w *Worker) retryStart(ctx context.Context, what string, do func() error) error {
	return retry.Do(ctx, retry.Policy{
		Backoff: retry.Redis,
		Final:   func(err error) bool { return !fault.Unavailable(err) },
		Failed: func(err error) {
			w.Logger.Warn("the worker cannot "+what+" yet, will try again", "worker", w.Info.ID, "error", err)
		},
	}, do)
}

// retryWrite writes to the journal, and repeats that until it succeeds or the run is gone. Only a
// worker that was told to stop at once gives up: its attempts are lost with it.
func (w *Worker) retryWrite(what string, run journal.RunID, write func() error) error {
	return retry.Do(w.abort, retry.Policy{
		Backoff: retry.Redis,
		// Any other error is retried, also one that is not known to be temporary: a finished
		// outcome is worth more than a quick end.
		Final: runGone,
		Failed: func(err error) {
			w.Logger.Warn("cannot "+what+", will try again", "run", run, "error", err)
		},
	}, write)
}

// runGone reports whether an error says that the run, as the batch knows it, does not exist any
// more.
func runGone(err error) bool {
	return errors.Is(err, journal.ErrNotFound) ||
		errors.Is(err, journal.ErrDigest) || errors.Is(err, journal.ErrTruncated)
}

// deregister takes the worker off the list of workers. Without Redis it stays there, without
// heartbeats, until it is removed as dead.
func (w *Worker) deregister() {
	// The worker's own contexts are done by now. The time-out is short, since a process that must
	// exit should not wait for a Redis that does not answer.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()

	if err := w.Fleet.Remove(ctx, w.Info.ID); err != nil {
		w.Logger.Warn("cannot leave the list of workers", "error", err)
	}
}

// mustHalt returns why the worker must start no attempt; nil if it may. It returns errSuspended if
// the next heartbeat will tell.
func (w *Worker) mustHalt() error {
	switch {
	case w.abort.Err() != nil:
		return errAborted
	case w.heartbeat.untilUnreachable() > 0:
		return w.health.why()
	case w.heartbeat.suspended():
		return errSuspended
	}

	return errUnreachable
}

// suspendedPoll is how often a batch asks whether a worker that was suspended may continue.
const suspendedPoll = 10 * time.Millisecond

// awaitMayStart returns why the worker must start no attempt, once that is known; nil if it may.
func (w *Worker) awaitMayStart() error {
	for {
		halt := w.mustHalt()
		if !errors.Is(halt, errSuspended) {
			return halt
		}

		// Polled: a worker is suspended too rarely to justify a signal to each batch.
		time.Sleep(suspendedPoll)
	}
}

// Stats are counts since the worker started.
type Stats struct {
	Executed, Failed int64
	Busy             int       // batches that it holds
	LastBeat         time.Time // that Redis has accepted
	Unhealthy        bool      // it cannot execute stages
}

// Stats returns counts for health checks and metrics.
func (w *Worker) Stats() Stats {
	s := Stats{Busy: len(w.batches.list()), LastBeat: w.heartbeat.lastAccepted(), Unhealthy: w.health.why() != nil}
	s.Executed, s.Failed = w.executor.Executed()
	return s
}

// Healthy returns an error if the worker cannot execute stages, or would be taken for dead.
func (w *Worker) Healthy() error {
	last := w.heartbeat.lastAccepted()
	if last.IsZero() {
		return errors.New("no heartbeat yet")
	}
	if age := time.Since(last); age > fleet.WorkerTTL {
		return fmt.Errorf("no heartbeat for %s", age.Round(time.Millisecond))
	}
	return w.health.why()
}

// Executing returns the names of the stages that are being executed.
func (w *Worker) Executing() (names []string) {
	for _, b := range w.batches.list() {
		if name, ok := b.executing(); ok {
			names = append(names, name)
		}
	}
	return names
}
