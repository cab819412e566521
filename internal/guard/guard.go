// Package guard carries the condition under which a write to Redis takes effect, from the worker,
// which knows the claim, to the cache, which writes.
package guard

import (
	"context"
	"errors"
)

// ErrRefused says that a write had no effect: the claim of the attempt that writes is void, or its
// run was removed.
var ErrRefused = errors.New("write refused: the attempt was replaced, or its run was removed")

// Cell is a place in a string in Redis, and what it must contain.
type Cell struct {
	Offset int64
	Want   string
}

// Guard holds while at least one of its cells contains what it must. The cells are parts of the
// string at a key in Redis.
type Guard struct {
	Key   string
	Cells []Cell
}

type key struct{}

// With returns a context whose writes are refused unless the guard holds. Only a cache in the Redis
// that has the guard's key can keep to it.
func With(ctx context.Context, g Guard) context.Context { return context.WithValue(ctx, key{}, g) }

// From returns the guard of a context, if it has one.
func From(ctx context.Context) (g Guard, guarded bool) {
	g, guarded = ctx.Value(key{}).(Guard)
	return g, guarded
}
