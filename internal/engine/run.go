package engine

import (
	"cmp"
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
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
)

// RunOptions say how to run a pipeline. Each method uses some of them:
//
//	               ID  Spec, Keep  Concurrency, Children, Hurry  limits  Observe, Tick, Tell
//	Submit         x   x
//	Run            x   x           x                             x       x
//	Resume, Retry  x               x                             x       x
//	Attach         x                                                     x
//	a [Server]     x                                             x
//
// The limits are Grace, NoWorker, MaxBatch and NoFuse. Where Spec is not used, the spec is that of
// the run in Redis.
type RunOptions struct {
	ID          journal.RunID // empty for a new one
	Spec        *spec.Spec
	Concurrency int             // stages executed at once in this process; 0 for none
	Children    int             // worker processes to start
	Grace       time.Duration   // how long stages have for stopping when the run is cancelled
	Hurry       <-chan struct{} // closed when they must stop at once; may be nil

	// NoWorker is how long a ready stage may be without a worker that can execute it. Then the
	// session leaves the run as it is. 0: forever.
	NoWorker time.Duration

	// Keep is how long the run is kept after it finished; 0: forever. Only the submission uses it.
	Keep time.Duration

	MaxBatch int  // most stages in one task; 0: the default, 1: no batches
	NoFuse   bool // no fused chains

	// Observe, Tick and Tell, if not nil, are called from one goroutine. Tick is called about twice
	// a second while the run is active, so that a display can show what changes without an entry.
	// Tell gets the role of this session, and the coordinator that owns the run or owned it last.
	// It is called repeatedly with the same values.
	Observe func(*runstate.Run, journal.Entry)
	Tick    func(*runstate.Run)
	Tell    func(r Role, coordinator string)
}

func (o RunOptions) observe(run *runstate.Run) func(journal.Entry) {
	return func(e journal.Entry) {
		if o.Observe != nil {
			o.Observe(run, e)
		}
	}
}

func (o RunOptions) tick(run *runstate.Run) {
	if o.Tick != nil {
		o.Tick(run)
	}
}

func (o RunOptions) tell(r Role, coordinator string) {
	if o.Tell != nil {
		o.Tell(r, coordinator)
	}
}

// newRunID returns an ID that begins with the name of the pipeline and the time, so that lists of
// runs are readable.
func newRunID(pipeline string, now time.Time) journal.RunID {
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

// DefaultConcurrency is how many stages a process executes at once by default: one per core.
func DefaultConcurrency() int { return runtime.GOMAXPROCS(0) }

// queues returns the names of the queues that a pipeline uses.
func queues(sp *spec.Spec) []string {
	set := make(map[string]bool)
	for _, k := range sp.Kinds() {
		set[cmp.Or(k.Queue, spec.DefaultQueue)] = true
	}
	if len(set) == 0 {
		return []string{spec.DefaultQueue}
	}
	return slices.Sorted(maps.Keys(set))
}

// ErrSharedMemory says that several processes would need values that live in the memory of one.
var ErrSharedMemory = errors.New(
	"values in memory can be seen by one process only: choose redis or disk, or run without other workers")

// Run submits a pipeline, coordinates the run and returns its final state. When ctx is done, Run
// cancels the run: its stages get the grace to stop.
//
// A run of the same pipeline that has the ID already is continued as by [Session.Resume]. If the
// run with that ID has another spec, the error is [journal.ErrExists] and [journal.ErrDigest], and
// says what differs.
//
// An error means that the end of the run could not be reached or read. A failed stage is no error.
func (s *Session) Run(ctx context.Context, o RunOptions) (*runstate.Run, error) {
	o.name()
	if err := o.check(); err != nil {
		return nil, err
	}

	coordinatorID := NewWorkerID("")
	identity, epoch, err := s.submit(ctx, o, coordinatorID, false)
	if errors.Is(err, journal.ErrExists) && !errors.Is(err, journal.ErrDigest) {
		// Our submission was not recorded, so the incarnation and signature are those of the run
		// that has the ID.
		digest := identity.Digest
		if identity, err = s.specs.identity(ctx, o.ID); err == nil && identity.Digest != digest {
			// The run was removed and its ID used again, after our submission.
			err = fmt.Errorf("run %s: %w", o.ID, journal.ErrDigest)
		}
	}
	if err != nil {
		return nil, err
	}

	run, err := newOwnedRun(s, o, coordinatorID, identity, epoch)
	if err != nil {
		return nil, err
	}
	return run.driveOrFollow(ctx)
}

// Submit submits a pipeline for a coordinator that serves the Redis, and returns the ID of the run.
// A run of the same pipeline that has the ID already is left as it is.
func (s *Session) Submit(ctx context.Context, o RunOptions) (journal.RunID, error) {
	o.name()
	if err := o.check(); err != nil {
		return "", err
	}

	_, _, err := s.submit(ctx, o, NewWorkerID(""), true)
	// The same pipeline has the ID: this is a repeated request.
	if errors.Is(err, journal.ErrExists) && !errors.Is(err, journal.ErrDigest) {
		err = nil
	}
	return o.ID, err
}

// submit records a new run. A detached run has no owner yet: its epoch is 0.
func (s *Session) submit(
	ctx context.Context, o RunOptions, coordinatorID string, detached bool,
) (id journal.Identity, epoch int64, err error) {
	key, err := s.Key()
	if err != nil {
		return id, 0, err
	}

	encoded, err := o.Spec.Encode()
	if err != nil {
		return id, 0, err
	}

	id = journal.Identity{Run: o.ID, Incarnation: rand.Text(), Digest: spec.Digest(encoded)}
	id.Signature = signIdentity(key, id)
	epoch, err = s.Journal.Submit(ctx, journal.Submission{
		Run:         o.ID,
		Pipeline:    o.Spec.Name,
		Stages:      o.Spec.Graph.Len(),
		Digest:      id.Digest,
		Spec:        encoded,
		Incarnation: id.Incarnation,
		Signature:   id.Signature,
		Coordinator: coordinatorID,
		Lease:       coordinator.Lease,
		Detached:    detached,
		Keep:        o.Keep,
	})
	if errors.Is(err, journal.ErrDigest) {
		err = s.specs.explainDigest(ctx, o, err)
	}
	return id, epoch, err
}

// name gives a run an ID if it has none.
func (o *RunOptions) name() {
	if o.ID == "" {
		o.ID = newRunID(o.Spec.Name, time.Now())
	}
}

// Resume coordinates a run whose coordinator is gone. What succeeded is not executed again. A run
// that another coordinator owns is followed, and taken over if that coordinator dies; then the end
// of ctx ends only the following. A finished run is returned as it is.
func (s *Session) Resume(ctx context.Context, o RunOptions) (*runstate.Run, error) {
	run, err := s.existing(ctx, o, NewWorkerID(""))
	if err != nil {
		return nil, err
	}
	return run.driveOrFollow(ctx)
}

// existing returns a submitted run that this process does not own yet.
func (s *Session) existing(ctx context.Context, o RunOptions, coordinatorID string) (*ownedRun, error) {
	var identity journal.Identity
	var err error
	if o.Spec, identity, err = s.specs.load(ctx, o.ID); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return newOwnedRun(s, o, coordinatorID, identity, 0)
}

// Attach follows a run to its end and never owns it. When ctx is done, the run continues.
func (s *Session) Attach(ctx context.Context, o RunOptions) (*runstate.Run, error) {
	var err error
	if o.Spec, err = s.Spec(ctx, o.ID); err != nil {
		return nil, err
	}
	run := runstate.New(o.ID, o.Spec)
	return run, newFollower(s, o, run).watch(ctx)
}

// check returns an error if the run cannot be executed as the options say.
func (o RunOptions) check() error {
	if o.Spec.Values == "memory" && (o.Concurrency == 0 || o.Children > 0) {
		return ErrSharedMemory
	}
	return nil
}
