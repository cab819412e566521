// Package worker executes stages: it takes bundles from a queue, claims their attempts, runs the handlers and reports how they ended.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// Config says what a worker is. All fields are needed.
type Config struct {
	Info     journal.WorkerInfo
	Client   redis.UniversalClient // the worker's own: the queue puts a hook on it
	Journal  *journal.Journal
	Registry *tasks.Registry
	Stores   *values.Stores
	Logger   *slog.Logger
}

// Worker executes stages until it is told to stop.
type Worker struct {
	Config
	server *queue.Server
	specs  *specs
	abort  context.Context // done when the worker was told to stop at once

	mu       sync.Mutex
	held     map[*execution]struct{}
	lastBeat time.Time // when Redis last took a heartbeat
	executed int64
	failed   int64
}

// New returns a worker that has not started.
func New(cfg Config) *Worker {
	w := &Worker{Config: cfg, specs: newSpecs(cfg.Journal), held: make(map[*execution]struct{})}
	queues := make([]string, len(cfg.Info.Queues))
	for i, name := range cfg.Info.Queues {
		queues[i] = queue.Own(name, string(cfg.Info.Run))
	}
	w.server = queue.NewServer(cfg.Client, queue.ServerConfig{
		Queues: queues, Slots: cfg.Info.Slots, Handle: w.handle, Logger: cfg.Logger,
	})
	return w
}

// Why an attempt was stopped.
var (
	errCancelled = errors.New("the run is being cancelled")
	errRevoked   = errors.New("another attempt has replaced this one")
	errHandBack  = errors.New("the worker was told to stop at once")
	errCutOff    = errors.New("the worker could not reach Redis")
)

// Run executes stages until drain is done; then it takes no more, finishes what it holds, and returns. When abort is done
// as well it stops what it still holds and hands it back. Ready, if not nil, is called once the worker takes bundles.
func (w *Worker) Run(drain, abort context.Context, ready func()) error {
	w.abort = abort
	if err := w.beat(drain); err != nil { // before the first claim: a coordinator must know who claims
		return err
	}
	if err := w.server.Start(); err != nil {
		return errors.Join(err, w.leave())
	}
	beats, stopBeats := context.WithCancel(context.WithoutCancel(drain))
	var helpers sync.WaitGroup
	helpers.Go(func() { w.live(beats) })
	if ready != nil {
		ready()
	}
	<-drain.Done()
	w.server.Stop()
	stopHandBack := context.AfterFunc(abort, func() { w.stopAll(errHandBack) })
	w.server.Shutdown()
	stopHandBack()
	stopBeats()
	helpers.Wait()
	return w.leave()
}

func (w *Worker) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return w.Journal.Leave(ctx, w.Info.ID)
}

// live keeps the worker known, its attempts under control and their logs readable.
func (w *Worker) live(ctx context.Context) {
	tick := time.NewTicker(journal.BeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		bounded, cancel := context.WithTimeout(ctx, journal.WorkerTTL/2)
		if err := w.beat(bounded); err != nil && ctx.Err() == nil {
			w.Logger.Warn("heartbeat failed", "error", err)
			w.fence()
		}
		w.obey(bounded)
		cancel()
	}
}

func (w *Worker) beat(ctx context.Context) error {
	sent := time.Now()
	info := w.Info
	w.mu.Lock()
	info.Busy = len(w.held)
	w.mu.Unlock()
	if err := w.Journal.Beat(ctx, info); err != nil {
		return err
	}
	w.mu.Lock()
	w.lastBeat = sent
	w.mu.Unlock()
	return nil
}

// fence stops everything when the worker may be taken for dead soon: somebody else is about to execute the same stages.
func (w *Worker) fence() {
	w.mu.Lock()
	silent := time.Since(w.lastBeat)
	w.mu.Unlock()
	if silent > journal.WorkerTTL-time.Second {
		w.stopAll(errCutOff)
	}
}

func (w *Worker) stopAll(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e := range w.held {
		e.stop(cause)
	}
}

// obey asks for orders for all that the worker executes, and saves what it has printed.
func (w *Worker) obey(ctx context.Context) {
	w.mu.Lock()
	held := make([]*execution, 0, len(w.held))
	for e := range w.held {
		held = append(held, e)
	}
	w.mu.Unlock()
	for _, e := range held {
		if err := w.control(ctx, e); err != nil && ctx.Err() == nil {
			w.Logger.Warn("cannot ask for orders", "run", e.claim.run, "error", err)
		}
	}
}

func (w *Worker) control(ctx context.Context, e *execution) error {
	orders, err := w.Journal.Check(ctx, e.claim.run, e.claim.token, []journal.Attempted{e.Attempted})
	if err != nil {
		return err
	}
	switch orders[0] {
	case journal.Stop:
		e.stop(errCancelled)
	case journal.Yield:
		e.stop(errRevoked)
	}
	return w.saveLog(ctx, e)
}

func (w *Worker) saveLog(ctx context.Context, e *execution) error {
	size := e.log.Len()
	if size == e.saved {
		return nil
	}
	if err := w.Journal.SaveLog(ctx, e.claim.run, e.Attempted, e.log.Bytes()); err != nil {
		return err
	}
	e.saved = size
	return nil
}

// Stats are counts since the worker started.
type Stats struct {
	Executed, Failed int64
	Busy             int
	LastBeat         time.Time
}

// Stats returns counts for health checks and metrics.
func (w *Worker) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{w.executed, w.failed, len(w.held), w.lastBeat}
}

// Healthy returns an error if the worker would be taken for dead.
func (w *Worker) Healthy() error {
	if age := time.Since(w.Stats().LastBeat); age > journal.WorkerTTL {
		return fmt.Errorf("no heartbeat for %s", age.Round(time.Millisecond))
	}
	return nil
}
