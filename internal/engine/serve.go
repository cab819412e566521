package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/retry"
	"github.com/godags/godags/internal/version"
)

// ServeOptions say how a server drives the runs that it finds.
type ServeOptions struct {
	ID       string // unique among coordinators
	Runs     int    // most runs driven at once
	Grace    time.Duration
	MaxBatch int
	NoFuse   bool
	NoWorker time.Duration // see [RunOptions]
}

// Server is a coordinator that drives every run without an owner: runs that were submitted
// detached, and runs whose coordinator is gone. Any number of servers may serve one Redis.
type Server struct {
	ServeOptions
	session *Session
	drivers sync.WaitGroup
	started time.Time

	mu       sync.Mutex
	runs     adoptions
	lastScan time.Time // of the open runs, with success

	adopted, finished atomic.Int64
}

const (
	// scanEvery is how often a server looks for runs without an owner. It is well below the lease,
	// so that it adds little to the time until a run is taken over.
	scanEvery  = 500 * time.Millisecond
	sweepEvery = time.Minute // how often old runs are removed
)

// NewServer returns a server that does not serve yet.
func (s *Session) NewServer(o ServeOptions) *Server {
	return &Server{ServeOptions: o, session: s, started: time.Now(), runs: newAdoptions(o.Runs)}
}

// ErrHandOver is the cause when a run is left to another coordinator.
var ErrHandOver = errors.New("the run is handed over to another coordinator")

// Run drives runs until ctx is done. Then it releases them, so that another server adopts them at
// once. Run calls ready after the first successful scan.
func (v *Server) Run(ctx context.Context, ready func()) error {
	// Without a key the server could drive no run, and would try each again and again.
	if _, err := v.session.Key(); err != nil {
		return err
	}

	// Runs are driven beyond the end of ctx until they are handed over in order.
	driving, handOver := context.WithCancelCause(context.WithoutCancel(ctx))
	defer handOver(nil)

	if err := v.firstScan(ctx, driving); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	ready()

	scan := time.NewTicker(scanEvery)
	defer scan.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for warned := false; ; {
		select {
		case <-scan.C:
		case <-sweep.C:
			// Removing the values of large runs takes seconds, which the scan must not wait for.
			v.drivers.Go(func() { v.session.Sweep(driving, "") })
		case <-ctx.Done():
			handOver(ErrHandOver)
			v.drivers.Wait()
			v.unlist()
			return nil
		}

		err := v.scan(ctx, driving)
		if err != nil && !warned && ctx.Err() == nil {
			v.session.Logger.Warn("cannot scan for runs without an owner, will try again", "error", err)
		}
		warned = err != nil
	}
}

// firstScan scans once, and waits for a Redis that is unreachable. Any other error would only
// repeat itself, such as a password that is wrong.
func (v *Server) firstScan(ctx, driving context.Context) error {
	for {
		err := v.scan(ctx, driving)
		if err == nil || !fault.Unavailable(err) || ctx.Err() != nil {
			return err
		}

		v.session.Logger.Warn("cannot scan for runs without an owner yet, will try again", "error", err)
		if !retry.Sleep(ctx, scanEvery) {
			return err
		}
	}
}

// unlist removes the server from the list of coordinators. Without Redis it stays listed until its
// last heartbeat is too old.
func (v *Server) unlist() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := v.session.Fleet.RemoveCoordinator(ctx, v.ID); err != nil {
		v.session.Logger.Warn("cannot remove this coordinator from the list", "error", err)
	}
}

// scan writes a heartbeat and adopts runs without an owner. It drives them until driving is done.
func (v *Server) scan(ctx, driving context.Context) error {
	// A heartbeat that takes longer is too late anyway, and Healthy must notice.
	bounded, cancel := context.WithTimeout(ctx, fleet.WorkerTTL)
	defer cancel()

	begin := time.Now()
	err := v.session.Fleet.CoordinatorHeartbeat(bounded, fleet.Coordinator{
		ID:      v.ID,
		Host:    hostname(),
		PID:     os.Getpid(),
		Runs:    v.Stats().Driving,
		Version: version.String(),
		Started: v.started.UTC().Truncate(time.Second),
	})
	if err != nil {
		return err
	}

	v.mu.Lock()
	// Taken before the list is requested: see [adoptions.reconsider].
	before := v.runs.abandonedRuns()
	v.mu.Unlock()

	open, err := v.session.Journal.Open(bounded)
	if err != nil {
		return err
	}

	v.mu.Lock()
	defer v.mu.Unlock()
	v.lastScan = begin
	v.runs.reconsider(before, open)
	for _, o := range open {
		if o.Left <= 0 && v.runs.take(o.Run, begin) {
			v.drivers.Go(func() { v.drop(o.Run, v.drive(driving, o.Run)) })
		}
	}
	return nil
}

// drive adopts a run and drives it to its end.
func (v *Server) drive(ctx context.Context, id journal.RunID) error {
	s := v.session
	run, err := s.existing(ctx, RunOptions{
		ID:       id,
		Grace:    v.Grace,
		MaxBatch: v.MaxBatch,
		NoFuse:   v.NoFuse,
		NoWorker: v.NoWorker,
	}, v.ID)
	if err != nil {
		return err
	}

	// Only now: a lease on a run that this server cannot read would keep abler coordinators away.
	if run.epoch, err = s.Journal.Acquire(ctx, id, v.ID, coordinator.Lease); err != nil {
		return err
	}

	v.adopted.Add(1)
	s.Logger.Info("run adopted", "run", id, "epoch", run.epoch)
	if err := run.driveWithWorkers(ctx); err != nil {
		return err
	}

	v.finished.Add(1)
	s.Logger.Info("run finished", "run", id, "state", run.state.DAG.Outcome())
	return nil
}

// drop notes why driving a run ended.
func (v *Server) drop(run journal.RunID, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()

	e := endingOf(err)
	delay := v.runs.drop(run, e, time.Now())
	logger := v.session.Logger
	switch e {
	case released:
		logger.Info("run released", "run", run, "reason", err)
	case hopeless:
		logger.Error("run abandoned: this coordinator cannot drive it", "run", run, "error", err)
	case retryable:
		logger.Warn("cannot drive a run, will try again", "run", run, "after", delay, "error", err)
	}
}

// ServerStats are what a server does and has done.
type ServerStats struct {
	Driving           int   // runs now
	Adopted, Finished int64 // runs since it started
	LastScan          time.Time
}

// Stats returns counts for health checks and metrics.
func (v *Server) Stats() ServerStats {
	v.mu.Lock()
	defer v.mu.Unlock()
	return ServerStats{len(v.runs.driving), v.adopted.Load(), v.finished.Load(), v.lastScan}
}

// Healthy returns an error if the last successful scan is too long ago.
func (v *Server) Healthy() error {
	last := v.Stats().LastScan
	if last.IsZero() {
		return errors.New("no answer from Redis yet")
	}
	if age := time.Since(last); age > fleet.WorkerTTL {
		return fmt.Errorf("no answer from Redis for %s", age.Round(time.Millisecond))
	}
	return nil
}

// Served reports whether a coordinator serves the Redis.
func (s *Session) Served(ctx context.Context) (bool, error) {
	list, err := s.Fleet.Coordinators(ctx)
	return len(list) > 0, err
}
