package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/version"
)

// ServeOptions say how a coordinator drives the runs that it finds.
type ServeOptions struct {
	ID       string // unique among coordinators
	Runs     int    // driven at once at the most
	Grace    time.Duration
	MaxBatch int
	NoFuse   bool
	NoWorker time.Duration // see [RunOptions]
}

// Server is a coordinator that drives every run that nobody drives: those that were submitted to
// be, and those whose coordinator is gone. Any number of them may serve one Redis.
type Server struct {
	ServeOptions
	session *Session
	drivers sync.WaitGroup
	started time.Time

	mu      sync.Mutex
	driving map[journal.RunID]bool
	// damaged, not for us, or without workers for too long: left alone until somebody else drives
	// them, or their id is used anew
	hopeless map[journal.RunID]bool
	failed   map[journal.RunID]*patience // not before some time
	lastLook time.Time                   // at the list of runs, with success

	adopted, finished atomic.Int64
}

// patience is how long to wait after something that failed several times in a row.
type patience struct {
	delay time.Duration
	until time.Time
}

const (
	lookEvery     = 500 * time.Millisecond // for runs that nobody drives
	sweepEvery    = time.Minute            // after runs whose time is over
	firstPatience = time.Second
	lastPatience  = time.Minute
)

func (p *patience) fail(now time.Time) {
	p.delay = min(max(2*p.delay, firstPatience), lastPatience)
	p.until = now.Add(p.delay)
}

// NewServer returns a server that does not serve yet.
func (s *Session) NewServer(o ServeOptions) *Server {
	return &Server{ServeOptions: o, session: s, started: time.Now(), driving: make(map[journal.RunID]bool),
		hopeless: make(map[journal.RunID]bool), failed: make(map[journal.RunID]*patience)}
}

// ErrHandOver is why a run is left to another coordinator.
var ErrHandOver = errors.New("the run is handed over to another coordinator")

// Run drives runs until ctx is done. Then it gives up those that it drives, so that another server
// adopts them at once. Ready is called when it has begun.
func (v *Server) Run(ctx context.Context, ready func()) error {
	if _, err := v.session.Key(); err != nil {
		return err
	}

	driving, handOver := context.WithCancelCause(context.WithoutCancel(ctx))
	defer handOver(nil)

	if err := v.firstLook(ctx, driving); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}

	ready()
	tick := time.NewTicker(lookEvery)
	sweep := time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer sweep.Stop()
	for warned := false; ; {
		select {
		case <-tick.C:
		case <-sweep.C:
			v.drivers.Go(func() { v.session.Sweep(driving, "") })
		case <-ctx.Done():
			handOver(ErrHandOver)
			v.drivers.Wait()
			v.leave()
			return nil
		}

		err := v.look(ctx, driving)
		if err != nil && !warned && ctx.Err() == nil {
			v.session.Logger.Warn("cannot look for runs, will try again", "error", err)
		}

		warned = err != nil
	}
}

// firstLook looks for runs, and waits for a Redis that is unavailable.
func (v *Server) firstLook(ctx, driving context.Context) error {
	for {
		err := v.look(ctx, driving)
		if err == nil || !fault.Unavailable(err) || ctx.Err() != nil {
			return err
		}

		v.session.Logger.Warn("cannot look for runs yet, will try again", "error", err)
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return err
		}
	}
}

// leave takes the server off the list. Without Redis it stays there until it is forgotten.
func (v *Server) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := v.session.Fleet.RemoveCoordinator(ctx, v.ID); err != nil {
		v.session.Logger.Warn("cannot leave the list of coordinators", "error", err)
	}
}

// look says that we serve, and adopts runs that nobody drives: to drive them until driving is done.
func (v *Server) look(ctx, driving context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, fleet.WorkerTTL)
	defer cancel()

	begin := time.Now()
	err := v.session.Fleet.CoordinatorHeartbeat(bounded, fleet.Coordinator{ID: v.ID, Host: hostname(), PID: os.Getpid(),
		Runs: v.Stats().Driving, Version: version.String(), Started: v.started.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}

	leftAlone := v.leftAlone()
	open, err := v.session.Journal.Open(bounded)
	if err != nil {
		return err
	}

	v.reconsider(leftAlone, open)
	v.mu.Lock()
	v.lastLook = begin
	v.mu.Unlock()
	for _, lead := range open {
		if lead.Left <= 0 && v.take(lead.Run, begin) {
			v.drivers.Go(func() { v.drop(lead.Run, v.drive(driving, lead.Run)) })
		}
	}

	return nil
}

// leftAlone returns the runs that are left alone.
func (v *Server) leftAlone() []journal.RunID {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Keys(v.hopeless))
}

// reconsider forgets why runs were left alone that are gone, or that somebody else drives now.
func (v *Server) reconsider(leftAlone []journal.RunID, open []journal.Ownership) {
	left := make(map[journal.RunID]time.Duration, len(open))
	for _, l := range open {
		left[l.Run] = l.Left
	}

	v.mu.Lock()
	defer v.mu.Unlock()

	for _, run := range leftAlone {
		if lease, there := left[run]; !there || lease > 0 {
			delete(v.hopeless, run)
		}
	}

	maps.DeleteFunc(v.failed, func(run journal.RunID, _ *patience) bool {
		_, there := left[run]
		return !there
	})
}

// take reports whether we should drive a run that nobody drives. It is ours until it is dropped.
func (v *Server) take(run journal.RunID, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.failed[run]
	if v.driving[run] || v.hopeless[run] || len(v.driving) >= v.Runs || p != nil && now.Before(p.until) {
		return false
	}
	v.driving[run] = true
	return true
}

// drive adopts a run and brings it to its end.
func (v *Server) drive(ctx context.Context, run journal.RunID) error {
	s := v.session
	o := RunOptions{ID: run, Grace: v.Grace, MaxBatch: v.MaxBatch, NoFuse: v.NoFuse, NoWorker: v.NoWorker}
	id, err := s.load(ctx, &o)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return err
	}

	epoch, err := s.Journal.Acquire(ctx, run, v.ID, coordinator.Lease)
	if err != nil {
		return err
	}

	v.adopted.Add(1)
	s.Logger.Info("run adopted", "run", run, "epoch", epoch)
	state := runstate.New(run, o.Spec)
	if err := s.drive(ctx, s.driver(o, v.ID), o, state, id, epoch); err != nil {
		return err
	}

	v.finished.Add(1)
	s.Logger.Info("run finished", "run", run, "state", state.State.Outcome())
	return nil
}

// drop notes how driving a run has ended.
func (v *Server) drop(run journal.RunID, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()

	delete(v.driving, run)
	logger := v.session.Logger
	switch {
	case err == nil:
		delete(v.failed, run)
	case errors.Is(err, journal.ErrFenced), errors.Is(err, journal.ErrNotFound), errors.Is(err, ErrHandOver):
		logger.Info("run is not ours any more", "run", run, "reason", err)
	case journal.Unreadable(err), errors.Is(err, journal.ErrDigest), errors.Is(err, sign.ErrSignature), errors.Is(err, ErrSharedMemory),
		errors.Is(err, coordinator.ErrNoWorker):
		v.hopeless[run] = true
		logger.Error("run left alone", "run", run, "error", err)
	default:
		if v.failed[run] == nil {
			v.failed[run] = new(patience)
		}
		v.failed[run].fail(time.Now())
		logger.Warn("cannot drive a run, will try again", "run", run, "after", v.failed[run].delay, "error", err)
	}
}

// ServerStats are what a server does and has done.
type ServerStats struct {
	Driving           int   // runs now
	Adopted, Finished int64 // runs since it started
	LastLook          time.Time
}

// Stats returns counts for health checks and metrics.
func (v *Server) Stats() ServerStats {
	v.mu.Lock()
	defer v.mu.Unlock()
	return ServerStats{len(v.driving), v.adopted.Load(), v.finished.Load(), v.lastLook}
}

// Healthy returns an error if the server has not been able to look for runs lately.
func (v *Server) Healthy() error {
	last := v.Stats().LastLook
	if last.IsZero() {
		return errors.New("no word from Redis yet")
	}
	if age := time.Since(last); age > fleet.WorkerTTL {
		return fmt.Errorf("no word from Redis for %s", age.Round(time.Millisecond))
	}
	return nil
}

// Served reports whether a coordinator serves the Redis.
func (s *Session) Served(ctx context.Context) (bool, error) {
	list, err := s.Fleet.Coordinators(ctx)
	return len(list) > 0, err
}
