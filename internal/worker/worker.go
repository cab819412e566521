// Package worker executes stages: it takes bundles from a queue, claims their attempts, runs the
// handlers and reports how they ended.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// Config says what a worker is. All fields but User are needed.
type Config struct {
	Info     fleet.Worker
	Client   redis.UniversalClient // the worker's own: the queue puts a hook on it
	Journal  *journal.Journal
	Fleet    *fleet.Fleet
	Queue    *queue.Client // takes back what the worker cannot execute soon
	Key      sign.Key      // with which stages must be signed
	Registry *tasks.Registry
	Stores   *values.Stores
	Logger   *slog.Logger
	User     *command.User // as whom commands of stages run; nil is the user of this process
}

// Worker executes stages until it is told to stop.
type Worker struct {
	Config
	server   *queue.Server
	specs    *specs
	lists    lists
	draining atomic.Bool     // nothing more is claimed
	abort    context.Context // done when the worker was told to stop at once
	beats    *fleet.Fleet    // for heartbeats: on a connection that no value is transferred on
	health   health
	check    func() error // returns why no stage can be executed

	executed, failed atomic.Int64

	listen chan struct{} // holds an element when there may be new orders

	mu       sync.Mutex
	held     map[*bundle]struct{}
	lastBeat time.Time // when Redis last took a heartbeat
	// when the last heartbeat was sent, whatever became of it; zero if none will be
	asked time.Time
	// that heartbeat was sent after the process was suspended, and is not answered yet
	waking bool
}

// New returns a worker that has not started.
func New(cfg Config) *Worker {
	cfg.Info.Format, cfg.Info.Handlers = spec.Format, fleet.HandlersDigest(cfg.Registry.Names())
	w := &Worker{Config: cfg, specs: newSpecs(cfg.Journal), listen: make(chan struct{}, 1), held: make(map[*bundle]struct{}),
		beats: fleet.New(cfg.Client), health: newHealth(), check: command.CanExecute}
	w.server = queue.NewServer(cfg.Client, queue.ServerConfig{
		Queues: cfg.Info.Queues, Run: string(cfg.Info.Run), Key: cfg.Key, Slots: cfg.Info.Slots, Handle: w.handle, Logger: cfg.Logger,
	})
	return w
}

// Why an attempt was stopped.
var (
	errCancelled = errors.New("the run is being cancelled")
	errRevoked   = errors.New("the run does not wait for it any more")
	errHandBack  = errors.New("the worker was told to stop at once")
	errCutOff    = errors.New("the worker could not reach Redis")
	errUnsure    = errors.New("the worker was suspended")
	errBehind    = errors.New(journal.NotBegun + ": it was behind a stage that takes long")
)

// Run executes stages until drain is done; then it takes no more, finishes what it holds, and
// returns. When abort is done as well it stops what it still holds and hands it back. Ready, if not
// nil, is called once the worker takes bundles.
func (w *Worker) Run(drain, abort context.Context, ready func()) error {
	w.abort = abort
	err := w.enter(drain)
	if drain.Err() != nil { // it was told to stop before it has begun
		w.leave()
		return nil
	}
	if err != nil {
		return err
	}

	if err := w.await(drain, "take stages", w.server.Start); err != nil {
		w.leave()
		if drain.Err() != nil {
			return nil
		}
		return err
	}

	beats, stopBeats := context.WithCancel(context.WithoutCancel(drain))
	var helpers sync.WaitGroup
	helpers.Go(func() { w.keepAlive(beats) })
	helpers.Go(func() { w.control(beats, stopBeats) })
	helpers.Go(func() { w.monitor(beats) })
	if ready != nil {
		ready()
	}

	<-drain.Done()
	w.draining.Store(true)
	w.server.Stop()
	stopHandBack := context.AfterFunc(abort, func() { w.stopAll(errHandBack) })
	w.server.Shutdown()
	stopHandBack()
	stopBeats()
	helpers.Wait()
	w.leave()
	return nil
}

// enter puts the worker on the list, before its first claim: a coordinator must know who claims. A
// Redis that refuses that is waited for.
func (w *Worker) enter(ctx context.Context) error {
	return w.await(ctx, "be listed", func() error {
		if err := w.publish(ctx); err != nil {
			return err
		}
		return w.beat(ctx)
	})
}

// await does something at the start of the worker, and does it again while Redis is unavailable.
func (w *Worker) await(ctx context.Context, what string, do func() error) error {
	for delay := firstDelay; ; delay = min(lastDelay, 2*delay) {
		err := do()
		if err == nil || !fault.Unavailable(err) || ctx.Err() != nil {
			return err
		}

		w.Logger.Warn("the worker cannot "+what+" yet, will try again", "worker", w.Info.ID, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return err
		}
	}
}

// leave takes the worker off the list. Without Redis it stays there, silent, until it is forgotten.
func (w *Worker) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := w.Fleet.Remove(ctx, w.Info.ID); err != nil {
		w.Logger.Warn("cannot leave the list of workers", "error", err)
	}
}

// keepAlive keeps the worker known, and stops its attempts when it no longer is. Nothing else is
// done here: what takes long, such as to save logs on a slow link, would delay the heartbeat.
func (w *Worker) keepAlive(ctx context.Context) {
	tick := time.NewTicker(fleet.HeartbeatInterval)
	defer tick.Stop()

	fence := time.AfterFunc(w.untilCutOff(), w.stopIfCutOff)
	defer fence.Stop()
	defer w.endBeats()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}

		bounded, cancel := context.WithTimeout(ctx, fleet.WorkerTTL/2)
		err := w.beat(bounded)
		cancel()
		switch {
		case err == nil:
			fence.Reset(w.untilCutOff())
		case ctx.Err() == nil:
			w.Logger.Warn("heartbeat failed", "error", err)
			w.stopIfCutOff() // unless a later heartbeat must tell whether the process was suspended
		}

		w.Listen()
	}
}

// control keeps the worker's attempts under control, their logs readable and its handlers known: it
// asks for orders after each heartbeat. If the program has closed the session although a stage does
// not stop, control ends that stage and the heartbeats.
func (w *Worker) control(ctx context.Context, leave context.CancelFunc) {
	publish := time.NewTicker(fleet.PublishInterval)
	defer publish.Stop()
	for {
		select {
		case <-w.listen:
		case <-publish.C:
			if err := w.publish(ctx); err != nil && ctx.Err() == nil {
				w.Logger.Warn("others may forget which handlers this worker has", "error", err)
			}
			continue
		case <-ctx.Done():
			return
		}

		bounded, cancel := context.WithTimeout(ctx, fleet.WorkerTTL/2)
		err := w.obey(bounded)
		cancel()
		if errors.Is(err, redis.ErrClosed) {
			leave()
			w.stopAll(errCutOff)
			return
		}
	}
}

func (w *Worker) beat(ctx context.Context) error {
	sent := w.beginBeat()
	defer w.endBeat()

	info := w.Info
	info.Unhealthy = w.unhealthy()
	info.Delivered = w.server.Delivered()
	info.Holds = make(map[journal.RunID][]journal.AttemptID)
	for _, b := range w.bundles() {
		info.Busy++
		info.Holds[b.claim.Run] = append(info.Holds[b.claim.Run], b.holding()...)
	}

	if err := w.beats.Heartbeat(ctx, info); err != nil {
		return err
	}

	w.mu.Lock()
	w.lastBeat = sent
	w.mu.Unlock()
	return nil
}

// cutOffAfter is how long after its last heartbeat a worker stops its stages. Others begin them a
// second after [fleet.WorkerTTL] at the earliest, and a network that is away for two seconds,
// plus the time since the last heartbeat, is no reason to stop.
const cutOffAfter = fleet.WorkerTTL - fleet.HeartbeatInterval/2

// untilCutOff returns when the worker may be taken for dead soon: somebody else is about to execute
// the same stages.
func (w *Worker) untilCutOff() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Until(w.lastBeat.Add(cutOffAfter))
}

// suspendedAfter is how long after its last heartbeat was sent a process must have been suspended
// (SIGSTOP, Ctrl-Z, a machine that sleeps): the next is sent after half a [fleet.WorkerTTL] and a
// [fleet.HeartbeatInterval] at the latest, whatever Redis does.
const suspendedAfter = fleet.WorkerTTL/2 + fleet.HeartbeatInterval

// suspended reports whether the worker was suspended, and has not heard from Redis since. It does
// not know then whether anybody has taken its attempts: nobody has if its coordinator was suspended
// with it. So it asks before it stops them.
func (w *Worker) suspended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waking || w.overdue(time.Now())
}

// overdue reports whether a heartbeat should have been sent long ago. It is called with the lock
// held.
func (w *Worker) overdue(now time.Time) bool {
	return !w.asked.IsZero() && now.Sub(w.asked) > suspendedAfter
}

func (w *Worker) beginBeat() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.waking = w.overdue(now)
	w.asked = now
	return now
}

func (w *Worker) endBeat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waking = false
}

// endBeats is for when no heartbeat will be sent any more.
func (w *Worker) endBeats() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = time.Time{}
}

// stopIfCutOff stops all attempts if Redis has taken no heartbeat for so long that others may be
// about to begin them.
func (w *Worker) stopIfCutOff() {
	if w.untilCutOff() <= 0 && !w.suspended() {
		w.stopAll(errCutOff)
	}
}

// mustHalt returns why the worker must begin no attempt, nil if it may: errUnsure if it will know
// after its next heartbeat.
func (w *Worker) mustHalt() error {
	switch {
	case w.abort.Err() != nil:
		return errHandBack
	case w.untilCutOff() > 0:
		return w.health.why()
	case w.suspended():
		return errUnsure
	}

	return errCutOff
}

func (w *Worker) hold(b *bundle) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[b] = struct{}{}
}

func (w *Worker) release(b *bundle) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, b)
}

func (w *Worker) bundles() []*bundle {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.held))
}

func (w *Worker) stopAll(cause error) {
	for _, b := range w.bundles() {
		b.stop(cause)
	}
}

// Listen lets the worker ask at once for orders for what it has claimed, rather than with its next
// heartbeat.
func (w *Worker) Listen() {
	select {
	case w.listen <- struct{}{}:
	default: // it is about to
	}
}

// obey asks for orders for all that the worker has claimed, and saves what it has printed.
func (w *Worker) obey(ctx context.Context) error {
	for _, b := range w.bundles() {
		err := b.obey(ctx)
		if errors.Is(err, redis.ErrClosed) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			w.Logger.Warn("cannot ask for orders", "run", b.claim.Run, "error", err)
		}
	}

	return nil
}

// Stats are counts since the worker started.
type Stats struct {
	Executed, Failed int64
	Busy             int
	LastBeat         time.Time
	Unhealthy        bool // it cannot execute stages
}

// Stats returns counts for health checks and metrics.
func (w *Worker) Stats() Stats {
	unhealthy := w.health.why() != nil
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{w.executed.Load(), w.failed.Load(), len(w.held), w.lastBeat, unhealthy}
}

// Healthy returns an error if the worker cannot execute stages, or would be taken for dead.
func (w *Worker) Healthy() error {
	last := w.Stats().LastBeat
	if last.IsZero() {
		return errors.New("no heartbeat yet")
	}
	if age := time.Since(last); age > fleet.WorkerTTL {
		return fmt.Errorf("no heartbeat for %s", age.Round(time.Millisecond))
	}
	return w.health.why()
}
