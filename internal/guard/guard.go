// Package guard carries the condition under which a write to Redis may take effect, from who knows
// it to who writes.
package guard

import (
	"context"
	"errors"
)

// ErrRefused says that a write had no effect, since the writer has lost the right to it: the claim
// of its attempt is void, or the run was removed.
var ErrRefused = errors.New("the writer has lost the right to write: its attempt, or its run, does not count any more")

// Cell is a place in a string in Redis, and what it must contain.
type Cell struct {
	Offset int64
	Want   string
}

// Guard holds while at least one of its cells, of the string at a key in Redis, contains what it
// must.
type Guard struct {
	Key   string
	Cells []Cell
}

type key struct{}

// With returns a context whose writes are refused unless the guard holds. It is for caches in the
// Redis that has the guard's key.
func With(ctx context.Context, g Guard) context.Context { return context.WithValue(ctx, key{}, g) }

// From returns the guard of a context, if it has one.
func From(ctx context.Context) (g Guard, guarded bool) {
	g, guarded = ctx.Value(key{}).(Guard)
	return g, guarded
}
