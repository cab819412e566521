package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// exchange is what one attempt sees of its run's values.
type exchange struct {
	worker    *Worker
	execution *execution
	store     cache.Cache
	output    []byte // nil until it is set
}

var _ tasks.Values = (*exchange)(nil)

func (x *exchange) stageName() string { return x.execution.claim.spec.Graph.Name(x.execution.Stage) }

// Output returns the output of another stage of the run.
func (x *exchange) Output(ctx context.Context, stage string) ([]byte, error) {
	c := x.execution.claim
	id, ok := c.spec.Graph.Lookup(stage)
	if !ok {
		return nil, fmt.Errorf("run %s has no stage %q", c.run, stage)
	}
	recorded, err := x.worker.Journal.Outputs(ctx, c.run, id)
	if err != nil {
		return nil, err
	}
	if recorded[0] == nil {
		return nil, fmt.Errorf("run %s: stage %q: %w", c.run, stage, tasks.ErrNoOutput)
	}
	return x.worker.Stores.Open(ctx, c.spec, c.run, id, recorded[0])
}

func (x *exchange) SetOutput(value []byte) {
	if value == nil {
		value = []byte{}
	}
	x.output = value
}

func (x *exchange) key(name string) cache.Key {
	return cache.Key{Run: string(x.execution.claim.run), Name: "key/" + name}
}

func (x *exchange) Get(ctx context.Context, name string) ([]byte, error) {
	value, err := x.store.Get(ctx, x.key(name))
	if errors.Is(err, cache.ErrNotFound) {
		return nil, &cache.NotFoundError{Key: cache.Key{Run: string(x.execution.claim.run), Name: name}, Stage: x.stageName()}
	}
	return value, err
}

func (x *exchange) Put(ctx context.Context, name string, value []byte) error {
	return x.store.Put(ctx, x.key(name), value)
}

func (x *exchange) Delete(ctx context.Context, name string) error {
	return x.store.Delete(ctx, x.key(name))
}

// specs keeps the specs of the runs that a worker met last.
type specs struct {
	journal *journal.Journal
	mu      sync.Mutex // held while a spec is loaded: that must not happen twice at once
	order   []string   // digests, oldest first
	known   map[string]*spec.Spec
}

// maxSpecs is how many specs a worker keeps: a few, since large ones take 100 MB.
const maxSpecs = 16

func newSpecs(j *journal.Journal) *specs {
	return &specs{journal: j, known: make(map[string]*spec.Spec)}
}

// get returns the spec of a run. The digest is the one that the run must have.
func (s *specs) get(ctx context.Context, run journal.RunID, digest string) (*spec.Spec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.known[digest]; sp != nil {
		return sp, nil
	}
	encoded, _, err := s.journal.Spec(ctx, run)
	if err != nil {
		return nil, err
	}
	if spec.Digest(encoded) != digest {
		return nil, fmt.Errorf("run %s: %w", run, journal.ErrDigest)
	}
	sp, err := spec.Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %w", run, journal.ErrDigest, err)
	}
	if len(s.order) == maxSpecs {
		delete(s.known, s.order[0])
		s.order = s.order[1:]
	}
	s.order = append(s.order, digest)
	s.known[digest] = sp
	return sp, nil
}
