package execution

import (
	"context"
	"errors"
	"math"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// stageValues is what the handler of one attempt sees of the values of its run.
type stageValues struct {
	inputs
	store  cache.Cache
	output []byte // nil until it is set
}

var (
	_ tasks.Values = (*stageValues)(nil)
	_ tasks.Lister = (*stageValues)(nil)
)

// Output implements [tasks.Values].
func (v *stageValues) Output(ctx context.Context, stage string) ([]byte, error) {
	return v.readNamed(ctx, stage)
}

// SetOutput implements [tasks.Values].
func (v *stageValues) SetOutput(value []byte) {
	if value == nil {
		value = []byte{} // nil means that there is no output
	}
	v.output = value
}

// List implements [tasks.Lister].
func (v *stageValues) List(ctx context.Context, name string, each func(tasks.Part) error) (bool, error) {
	sp := v.batch.pipeline.spec
	stage, ok := sp.Graph.Lookup(name)
	if !ok || !sp.Kind(stage).Gather && sp.Kind(stage).ForEach == "" {
		return false, nil
	}

	// Not as one value: the caller wants the parts, and their list may be larger than memory.
	stored, err := v.stored(ctx, stage)
	if errors.Is(err, tasks.ErrNoOutput) {
		return false, nil
	}
	if err != nil {
		return false, err
	}

	parts, ok, err := values.PartsOf(sp, stage, stored)
	if !ok || err != nil {
		return false, err
	}

	return true, v.eachPart(ctx, stage, parts, math.MaxInt, func(of part, value []byte) error {
		given := tasks.Part{Name: of.label, None: value == nil}
		text, err := values.Element(value)
		if err == nil {
			given.JSON = text
		} else if !errors.Is(err, values.ErrNotJSON) {
			return err
		}

		if value != nil {
			_, given.Bytes, _ = cache.Split(value) // Element has split it without an error
		}
		return each(given)
	})
}

func (v *stageValues) key(name string) cache.Key {
	return cache.Key{Run: string(v.batch.Claim.Run), Name: "key/" + name}
}

// Get implements [tasks.Values].
func (v *stageValues) Get(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	err := v.retry(ctx, func() (err error) {
		value, err = v.store.Get(ctx, v.key(name))
		return err
	})

	if err == nil {
		return values.VerifyNamed(v.batch.Key, v.batch.origin, name, value)
	}
	if errors.Is(err, cache.ErrNotFound) {
		// With the name that the stage has used: the key of the store has a prefix.
		return nil, &cache.NotFoundError{Key: cache.Key{Run: string(v.batch.Claim.Run), Name: name}, Stage: v.Name()}
	}

	return value, err
}

// Put implements [tasks.Values].
func (v *stageValues) Put(ctx context.Context, name string, value []byte) error {
	signed := values.SignNamed(v.batch.Key, v.batch.origin, name, value)
	return v.retry(ctx, func() error { return v.batch.Stores.Put(ctx, v.guard(), v.store, v.key(name), signed) })
}

// Delete implements [tasks.Values].
func (v *stageValues) Delete(ctx context.Context, name string) error {
	return v.retry(ctx, func() error { return v.batch.Stores.Delete(ctx, v.guard(), v.store, v.key(name)) })
}
