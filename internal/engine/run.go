package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/view"
)

// RunOptions say how a pipeline is run.
type RunOptions struct {
	ID       journal.RunID // empty for a new one
	Spec     *spec.Spec
	Slots    int           // stages executed at once in this process; 0 for none
	Children int           // worker processes to start
	Grace    time.Duration // how long stages have for stopping when the run is cancelled

	MaxBundle int  // stages in one task at the most; 0 for the default, 1 for none together
	NoFuse    bool // a stage does not travel together with the one that it depends on

	// Observe and Unserved, if not nil, are called from the goroutine that drives the run.
	Observe  func(*view.Run, journal.Entry)
	Unserved func([]coordinator.Unserved)
}

// NewRunID returns an id that begins with the pipeline's name and the time.
func NewRunID(pipeline string, now time.Time) journal.RunID {
	word := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, pipeline)
	word = strings.Trim(word[:min(len(word), 60)], "-_")
	if word == "" {
		word = "run"
	}
	return journal.RunID(fmt.Sprintf("%s-%s-%s", word, now.Format("20060102-150405"), strings.ToLower(rand.Text()[:4])))
}

// Cores is the number of stages that a process executes at once unless told otherwise: one per core.
func Cores() int { return runtime.GOMAXPROCS(0) }

// Queues returns the names of the queues that a pipeline uses.
func Queues(sp *spec.Spec) []string {
	set := make(map[string]bool)
	for _, k := range sp.Kinds() {
		if k.Queue == "" {
			k.Queue = spec.DefaultQueue
		}
		set[k.Queue] = true
	}
	if len(set) == 0 {
		return []string{spec.DefaultQueue}
	}
	return slices.Sorted(maps.Keys(set))
}

// ErrSharedMemory says that values in memory were asked for where several processes need them.
var ErrSharedMemory = errors.New("values in memory can be seen by one process only: choose redis or disk, or run without other workers")

// Run runs a pipeline to its end and returns what became of it. When ctx is done, the run is cancelled: its stages get the grace to stop.
// An error means that the end of the run could not be reached or seen; a failed stage is none.
func (s *Session) Run(ctx context.Context, o RunOptions) (*view.Run, error) {
	if o.ID == "" {
		o.ID = NewRunID(o.Spec.Name, time.Now())
	}
	encoded, err := o.Spec.Encode()
	if err != nil {
		return nil, err
	}
	crew, err := s.hire(ctx, o)
	if err != nil {
		return nil, err
	}
	run, err := s.submitAndDrive(ctx, o, encoded, crew)
	return run, errors.Join(err, crew.dismiss(), s.cleanUp(ctx, run))
}

// crew is the workers that were started for one run.
type crew struct {
	local    *local
	children *children
	dead     <-chan string
}

func (s *Session) hire(ctx context.Context, o RunOptions) (c crew, err error) {
	if o.Spec.Values == "memory" && (o.Slots == 0 || o.Children > 0) {
		return c, ErrSharedMemory
	}
	queues := Queues(o.Spec)
	if o.Slots > 0 {
		if c.local, err = s.startLocal(ctx, WorkerOptions{NewWorkerID(""), queues, o.Slots, s.only(o.ID)}); err != nil {
			return c, err
		}
	}
	if o.Children > 0 {
		if c.children, err = s.startChildren(ctx, o.Children, queues, s.only(o.ID)); err != nil {
			return c, errors.Join(err, c.dismiss())
		}
		c.dead = c.children.dead
	}
	return c, nil
}

// only returns the run if its workers must serve no other. Where every command has workers for its own run only, one that took a stage
// of another run would execute it in the wrong place, and give it up when its own run ends.
func (s *Session) only(run journal.RunID) journal.RunID {
	if s.External() {
		return ""
	}
	return run
}

// cleanUp removes the queues of a run that had its own.
func (s *Session) cleanUp(ctx context.Context, run *view.Run) (err error) {
	if run == nil || !run.State.Finished() || s.only(run.ID) == "" {
		return nil
	}
	own := s.queue.Own(string(run.ID))
	for _, name := range Queues(run.Spec) {
		err = errors.Join(err, own.RemoveQueue(context.WithoutCancel(ctx), name))
	}
	return err
}

func (c crew) dismiss() (err error) {
	if c.children != nil {
		err = c.children.stop()
	}
	if c.local != nil {
		err = errors.Join(err, c.local.stop())
	}
	return err
}

// Resume goes on with a run whose coordinator is gone. What has succeeded is not executed again. A run that another coordinator
// still drives gives [journal.ErrFenced]; one that is finished is returned as it is.
func (s *Session) Resume(ctx context.Context, o RunOptions) (*view.Run, error) {
	encoded, digest, err := s.Journal.Spec(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	if spec.Digest(encoded) != digest {
		return nil, fmt.Errorf("run %s: %w: its spec was changed since it was submitted", o.ID, journal.ErrDigest)
	}
	if o.Spec, err = spec.Decode(encoded); err != nil {
		return nil, fmt.Errorf("run %s: %w", o.ID, err)
	}
	driver := s.driver(o)
	epoch, err := s.takeOver(ctx, o.ID, driver.ID)
	if err != nil {
		return nil, err
	}
	crew, err := s.hire(ctx, o)
	if err != nil {
		return nil, err
	}
	run, err := s.drive(ctx, driver, o, crew, digest, epoch)
	return run, errors.Join(err, crew.dismiss(), s.cleanUp(ctx, run))
}

// takeOver acquires a run. The lease of a coordinator that died just now must run out first.
func (s *Session) takeOver(ctx context.Context, id journal.RunID, coordinatorID string) (epoch int64, err error) {
	for begin := time.Now(); ; {
		epoch, err = s.Journal.Acquire(ctx, id, coordinatorID, coordinator.Lease)
		if !errors.Is(err, journal.ErrFenced) || time.Since(begin) > coordinator.Lease+time.Second {
			return epoch, err
		}
		select {
		case <-time.After(coordinator.Lease / 10):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (s *Session) driver(o RunOptions) coordinator.Config {
	return coordinator.Config{ID: NewWorkerID("coordinator"), Journal: s.Journal, Queue: s.queue.Own(string(s.only(o.ID))), Logger: s.Logger,
		Grace: o.Grace, MaxBundle: o.MaxBundle, NoFuse: o.NoFuse, Unserved: o.Unserved}
}

func (s *Session) submitAndDrive(ctx context.Context, o RunOptions, encoded []byte, crew crew) (*view.Run, error) {
	driver := s.driver(o)
	digest := spec.Digest(encoded)
	epoch, err := s.Journal.Submit(ctx, journal.Submission{Run: o.ID, Pipeline: o.Spec.Name, Stages: o.Spec.Graph.Len(),
		Digest: digest, Spec: encoded, Coordinator: driver.ID, Lease: coordinator.Lease})
	if err != nil {
		return nil, err
	}
	return s.drive(ctx, driver, o, crew, digest, epoch)
}

// drive drives a run that is ours, and cancels it when ctx is done. It leaves the run if there are no workers and never will be.
func (s *Session) drive(ctx context.Context, cfg coordinator.Config, o RunOptions, crew crew, digest string, epoch int64) (*view.Run, error) {
	run := view.New(o.ID, o.Spec)
	var damaged error
	cfg.Dead = crew.dead
	cfg.Observe = func(entries []journal.Entry) {
		for _, e := range entries {
			if err := run.Feed(e); err != nil {
				damaged = err
				return
			}
			if o.Observe != nil {
				o.Observe(run, e)
			}
		}
	}
	driving, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	defer leave(nil)
	stop := context.AfterFunc(ctx, func() { s.cancel(driving, leave, o, context.Cause(ctx)) })
	defer stop()
	if crew.children != nil && crew.local == nil && !s.External() {
		forget := context.AfterFunc(crew.children.stopped, func() { leave(crew.children.gaveUp()) })
		defer forget()
	}
	_, err := coordinator.Drive(driving, cfg, o.ID, o.Spec, digest, epoch)
	if errors.Is(err, journal.ErrGone) {
		err = fmt.Errorf("%w: %w", ErrStateLost, err)
	}
	return run, errors.Join(err, damaged)
}

// cancel asks for the end of the run. If that does not come about in time it leaves the run alone.
func (s *Session) cancel(ctx context.Context, leave context.CancelCauseFunc, o RunOptions, cause error) {
	if _, err := s.Journal.RequestCancel(ctx, o.ID, cause.Error()); err != nil {
		leave(fmt.Errorf("cannot cancel the run: %w", err))
		return
	}
	time.AfterFunc(o.Grace+5*time.Second, func() { leave(cause) })
}
