package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// exchange is what one attempt sees of its run's values.
type exchange struct {
	worker    *Worker
	execution *execution
	store     cache.Cache
	output    []byte // nil until it is set
}

// outputs keeps what is recorded as the outputs of stages that were asked for last; nil for none.
type outputs struct {
	mu      sync.Mutex
	fetched map[dag.StageID][]byte
}

// fetchedAtOnce is how many dependencies' outputs are asked for in one call to Redis.
const fetchedAtOnce = 256

var _ tasks.Values = (*exchange)(nil)

// Output returns the output of another stage of the run.
func (x *exchange) Output(ctx context.Context, stage string) ([]byte, error) {
	run := x.execution.bundle.claim.Run
	sp := x.execution.bundle.loaded.spec
	id, ok := sp.Graph.Lookup(stage)
	if !ok {
		return nil, fmt.Errorf("run %s has no stage %q", run, stage)
	}

	stored, err := x.stored(ctx, id)
	if err != nil {
		return nil, err
	}

	return x.worker.array(ctx, x.execution, id, stored)
}

// stored returns the output of a stage of the graph as it was recorded, which may be only the list
// of its parts.
func (x *exchange) stored(ctx context.Context, id dag.StageID) ([]byte, error) {
	from, err := x.execution.source(id)
	if err != nil {
		return nil, err
	}

	var value []byte
	err = x.execution.steadily(ctx, func() error {
		signed, err := x.recorded(ctx, id)
		if err == nil {
			value, err = x.worker.openOutput(ctx, x.execution, from, signed)
		}
		return err
	})

	return value, err
}

// openOutput returns the value behind what is recorded as the output of a stage of the graph.
func (w *Worker) openOutput(ctx context.Context, e *execution, from source, signed []byte) ([]byte, error) {
	sp := e.bundle.loaded.spec
	run := e.bundle.claim.Run
	recorded, err := e.check(from, signed)
	if err != nil {
		return nil, fmt.Errorf("stage %q: %w", sp.Graph.Name(from.Stage), err)
	}
	return w.Stores.Open(ctx, sp, run, from.Stage, recorded)
}

// recorded returns what is, or is about to be, recorded as the output of a stage. Those of the
// dependencies that follow it are fetched with it, and those of the dependencies of the attempts
// that come next.
func (x *exchange) recorded(ctx context.Context, id dag.StageID) ([]byte, error) {
	if o := x.execution.before; o != nil && o.Record.Stage == id {
		return o.Output, nil
	}

	b := x.execution.bundle
	b.outputs.mu.Lock()
	defer b.outputs.mu.Unlock()

	if recorded, ok := b.outputs.fetched[id]; ok {
		return recorded, nil
	}

	ids := []dag.StageID{id}
	deps := b.loaded.spec.Graph.Deps(x.execution.graphStage())
	if i := slices.Index(deps, id); i >= 0 {
		ids = b.depsOfNext(slices.Clone(deps[i:min(len(deps), i+fetchedAtOnce)]), x.execution.kind().Task)
	}

	list, err := x.worker.Journal.Outputs(ctx, b.claim.Run, ids...)
	if err != nil {
		return nil, err
	}

	b.outputs.fetched = make(map[dag.StageID][]byte, len(ids))
	for i, fetched := range ids {
		b.outputs.fetched[fetched] = list[i]
	}
	return list[0], nil
}

// depsOfNext appends what the claimed attempts of a task that come next depend on, while it is not
// too much for one call.
func (b *bundle) depsOfNext(ids []dag.StageID, task string) []dag.StageID {
	b.mu.Lock()
	defer b.mu.Unlock()

	for _, a := range b.due {
		g := b.graphStage(a.Stage)
		if a.fused || b.loaded.spec.Kind(g).Task != task {
			continue
		}

		for _, dep := range b.loaded.spec.Graph.Deps(g) {
			if len(ids) == fetchedAtOnce {
				return ids
			}
			if !slices.Contains(ids, dep) {
				ids = append(ids, dep)
			}
		}
	}

	return ids
}

// sayAfter is how long a stage waits for values before that is worth a word; sayEvery is how often
// it is said again.
const (
	sayAfter = time.Second
	sayEvery = time.Minute
)

// steadily does something with values, and does it again while Redis, or another store, is
// unavailable: what the stage did stays right. There is no limit but those of the attempt. A worker
// that cannot reach Redis stops its attempts soon, and they are executed again.
func (e *execution) steadily(ctx context.Context, do func() error) error {
	begin := time.Now()
	said := begin.Add(sayAfter - sayEvery)
	for delay := firstDelay; ; delay = min(lastDelay, 2*delay) {
		err := do()
		if errors.Is(err, guard.ErrRefused) {
			e.bundle.mu.Lock()
			e.revoke()
			e.bundle.mu.Unlock()
		}

		if err == nil || !fault.Unavailable(err) || delay == firstDelay && ctx.Err() != nil {
			return err // such as the time-out of the stage itself
		}

		if now := time.Now(); now.Sub(said) >= sayEvery {
			said = now
			e.bundle.worker.Logger.Warn("cannot reach values, will try again", "run", e.bundle.claim.Run, "stage", e.name(),
				"for", now.Sub(begin).Round(time.Second), "error", err)
		}

		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", fault.ErrInfrastructure, err)
		}
	}
}

func (x *exchange) SetOutput(value []byte) {
	if value == nil {
		value = []byte{}
	}
	x.output = value
}

func (x *exchange) key(name string) cache.Key {
	return cache.Key{Run: string(x.execution.bundle.claim.Run), Name: "key/" + name}
}

func (x *exchange) Get(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	err := x.execution.steadily(ctx, func() (err error) {
		value, err = x.store.Get(ctx, x.key(name))
		return err
	})
	if err == nil {
		return values.VerifyNamed(x.worker.Key, x.execution.bundle.origin, name, value)
	}
	if errors.Is(err, cache.ErrNotFound) {
		return nil, &cache.NotFoundError{Key: cache.Key{Run: string(x.execution.bundle.claim.Run), Name: name}, Stage: x.execution.name()}
	}

	return value, err
}

func (x *exchange) Put(ctx context.Context, name string, value []byte) error {
	signed := values.SignNamed(x.worker.Key, x.execution.bundle.origin, name, value)
	return x.execution.steadily(ctx, func() error { return x.worker.Stores.Put(ctx, x.execution.guard(), x.store, x.key(name), signed) })
}

func (x *exchange) Delete(ctx context.Context, name string) error {
	return x.execution.steadily(ctx, func() error { return x.worker.Stores.Delete(ctx, x.execution.guard(), x.store, x.key(name)) })
}
