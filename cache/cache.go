// Package cache is where values live between stages.
//
// A [Cache] keeps bytes under a [Key]. Three backends come with the package: [Memory] for one
// process, [Disk] for the processes of one machine (or of a shared folder), and [Redis] for a
// fleet. Package cachetest has the suite that all three pass; run it against your own backend too.
//
// Typed values become bytes with a [Codec]: [Marshal] writes a self-describing form and [Unmarshal]
// reads it back.
package cache

import (
	"context"
	"fmt"
)

// Key names one value of one run. Both parts may hold any bytes and be of any length.
type Key struct {
	Run  string // ID of the run; runs never see each other's values
	Name string // name of the value within the run
}

// String describes the key for people: quoted, and shortened where long. Two keys may have the same
// description.
func (k Key) String() string {
	return quote(k.Name) + " in run " + quote(k.Run)
}

// quote makes s safe for a one-line message.
func quote(s string) string {
	// A name may hold megabytes, and an error is one line of a log.
	const most = 100
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
}

// Cache keeps values by key. It is safe for concurrent use.
//
// A caller owns the slices that it passes in and gets back: a backend keeps no reference to either.
type Cache interface {
	// Get returns the value under key. A missing value is a [*NotFoundError], which matches
	// [ErrNotFound].
	Get(ctx context.Context, key Key) ([]byte, error)
	// Put stores value under key, whole or not at all, and replaces what was there.
	// A value that the backend does not take is a [*TooLargeError], which matches [ErrTooLarge].
	Put(ctx context.Context, key Key, value []byte) error
	// Delete removes the value under key. A missing value is not an error.
	Delete(ctx context.Context, key Key) error
}

// Remover is a [Cache] that can forget a whole run.
type Remover interface {
	// RemoveRun deletes all values of a run. It is meant for runs that have ended: a Put that
	// happens at the same time may fail, or its value may stay.
	RemoveRun(ctx context.Context, run string) error
}

// All three backends are whole.
var (
	_ = []Cache{(*MemoryCache)(nil), (*DiskCache)(nil), (*RedisCache)(nil)}
	_ = []Remover{(*MemoryCache)(nil), (*DiskCache)(nil), (*RedisCache)(nil)}
)
