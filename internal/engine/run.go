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
	"github.com/godags/godags/internal/version"
)

// RunOptions say how a pipeline is run.
type RunOptions struct {
	ID          journal.RunID // empty for a new one
	Spec        *spec.Spec
	Concurrency int             // stages executed at once in this process; 0 for none
	Children    int             // worker processes to start
	Grace       time.Duration   // how long stages have for stopping when the run is cancelled
	Hurry       <-chan struct{} // closed when they have no time any more; may be nil

	// how long stages may be without a worker that could execute them; 0: for ever. Then the run is
	// left as it is
	NoWorker time.Duration

	// how long the run is kept after its end; 0: for ever. It counts when the run is submitted
	Keep time.Duration

	MaxBatch int  // stages in one task at the most; 0 for the default, 1 for none together
	NoFuse   bool // a stage does not travel together with the one that it depends on

	// Observe, Tick and Tell, if not nil, are called from one goroutine. Tick is called about twice
	// a second while the run is active, so that a display can show what changes without an entry.
	// Tell is told what we have to do with the run, and the coordinator that drives it, or has
	// driven it last; it is called again and again.
	Observe func(*runstate.Run, journal.Entry)
	Tick    func(*runstate.Run)
	Tell    func(p Part, coordinator string)
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

func (o RunOptions) tell(p Part, coordinator string) {
	if o.Tell != nil {
		o.Tell(p, coordinator)
	}
}

// newRunID returns an id that begins with the pipeline's name and the time.
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

// DefaultConcurrency is the number of stages that a process executes at once unless told otherwise: one per
// core.
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

// ErrSharedMemory says that values in memory were asked for where several processes need them.
var ErrSharedMemory = errors.New("values in memory can be seen by one process only: choose redis or disk, or run without other workers")

// Run runs a pipeline to its end and returns what became of it. When ctx is done, the run is
// cancelled: its stages get the grace to stop. A run that was submitted before, under the same id
// and with the same pipeline, is gone on with as by [Session.Resume]. If that run has another spec,
// the error is [journal.ErrExists] and [journal.ErrDigest], and says what differs.
//
// An error means that the end of the run could not be reached or seen; a failed stage is none.
func (s *Session) Run(ctx context.Context, o RunOptions) (*runstate.Run, error) {
	o.name()
	if err := o.check(); err != nil {
		return nil, err
	}

	id := NewWorkerID("")
	run, epoch, err := s.submit(ctx, o, id, false)
	if errors.Is(err, journal.ErrExists) && !errors.Is(err, journal.ErrDigest) {
		digest := run.Digest
		if run, err = s.identify(ctx, o.ID); err == nil && run.Digest != digest {
			err = fmt.Errorf("run %s: %w", o.ID, journal.ErrDigest) // it was replaced just now
		}
	}
	if err != nil {
		return nil, err
	}

	return s.conduct(ctx, s.driver(o, id), o, run, epoch)
}

// Submit hands a pipeline over to whoever serves the Redis, and returns the id of the run. One that
// was submitted before, under the same id and with the same pipeline, is left as it is.
func (s *Session) Submit(ctx context.Context, o RunOptions) (journal.RunID, error) {
	o.name()
	if err := o.check(); err != nil {
		return "", err
	}

	_, _, err := s.submit(ctx, o, NewWorkerID(""), true)
	if errors.Is(err, journal.ErrExists) && !errors.Is(err, journal.ErrDigest) {
		err = nil
	}
	return o.ID, err
}

func (s *Session) submit(ctx context.Context, o RunOptions, coordinatorID string, detached bool) (id journal.Identity, epoch int64, err error) {
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
	epoch, err = s.Journal.Submit(ctx, journal.Submission{Run: o.ID, Pipeline: o.Spec.Name, Stages: o.Spec.Graph.Len(),
		Digest: id.Digest, Spec: encoded, Incarnation: id.Incarnation, Signature: id.Signature, Coordinator: coordinatorID, Lease: coordinator.Lease, Detached: detached, Keep: o.Keep})
	if errors.Is(err, journal.ErrDigest) {
		err = s.explainDigest(ctx, o, err)
	}
	return id, epoch, err
}

// explainDigest adds to the error of a taken run ID how that run differs. A spec that our key did
// not sign is not decoded.
func (s *Session) explainDigest(ctx context.Context, o RunOptions, taken error) error {
	existing := RunOptions{ID: o.ID}
	if _, err := s.load(ctx, &existing); err != nil {
		return taken
	}
	if what := spec.Difference(existing.Spec, o.Spec); what != "" {
		return fmt.Errorf("%w: %s", taken, what)
	}
	return taken
}

// name gives a run an id if it has none.
func (o *RunOptions) name() {
	if o.ID == "" {
		o.ID = newRunID(o.Spec.Name, time.Now())
	}
}

// Resume goes on with a run whose coordinator is gone. What has succeeded is not executed again. A
// run that another coordinator drives is followed, and taken over if that coordinator dies; to be
// done with ctx then only ends the following. One that is finished is returned as it is.
func (s *Session) Resume(ctx context.Context, o RunOptions) (*runstate.Run, error) {
	id, err := s.load(ctx, &o)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return nil, err
	}
	return s.conduct(ctx, s.driver(o, NewWorkerID("")), o, id, 0)
}

// Attach follows a run to its end, whoever drives it. When ctx is done it leaves the run alone.
func (s *Session) Attach(ctx context.Context, o RunOptions) (*runstate.Run, error) {
	var err error
	if o.Spec, err = s.Spec(ctx, o.ID); err != nil {
		return nil, err
	}
	run := runstate.New(o.ID, o.Spec)
	return run, s.watch(ctx, run, o)
}

// load fetches what somebody with our key has submitted: nothing else is decoded.
func (s *Session) load(ctx context.Context, o *RunOptions) (journal.Identity, error) {
	id, err := s.identify(ctx, o.ID)
	if err != nil {
		return id, err
	}

	encoded, digest, err := s.Journal.Spec(ctx, o.ID)
	if err == nil && digest != id.Digest {
		err = fmt.Errorf("run %s: %w", o.ID, journal.ErrDigest) // it was replaced just now
	}
	if err != nil {
		return id, err
	}

	if o.Spec, err = spec.Decode(encoded); errors.Is(err, version.ErrNewer) {
		return id, fmt.Errorf("run %s: %w", o.ID, err)
	} else if err != nil {
		return id, fmt.Errorf("run %s: %w: its spec: %w", o.ID, journal.ErrDamaged, err)
	}

	return id, nil
}

// check finds out whether the run can be executed in the way that the options ask for.
func (o RunOptions) check() error {
	if o.Spec.Values == "memory" && (o.Concurrency == 0 || o.Children > 0) {
		return ErrSharedMemory
	}
	return nil
}
