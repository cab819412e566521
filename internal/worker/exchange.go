package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/godags/godags/cache"
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

// Output returns the output of another stage of the run.
func (x *exchange) Output(ctx context.Context, stage string) ([]byte, error) {
	run, sp := x.execution.bundle.claim.Run, x.execution.bundle.loaded.spec
	id, ok := sp.Graph.Lookup(stage)
	if !ok {
		return nil, fmt.Errorf("run %s has no stage %q", run, stage)
	}
	recorded, err := x.worker.Journal.Outputs(ctx, run, id)
	if err != nil {
		return nil, err
	}
	if recorded[0] == nil {
		return nil, fmt.Errorf("run %s: stage %q: %w", run, stage, tasks.ErrNoOutput)
	}
	return x.worker.Stores.Open(ctx, sp, run, id, recorded[0])
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
	value, err := x.store.Get(ctx, x.key(name))
	if errors.Is(err, cache.ErrNotFound) {
		return nil, &cache.NotFoundError{Key: cache.Key{Run: string(x.execution.bundle.claim.Run), Name: name}, Stage: x.execution.name()}
	}
	return value, err
}

func (x *exchange) Put(ctx context.Context, name string, value []byte) error {
	return x.store.Put(ctx, x.key(name), value)
}

func (x *exchange) Delete(ctx context.Context, name string) error {
	return x.store.Delete(ctx, x.key(name))
}
