// Package cachetest is the suite that every backend of package cache passes. Run it against your
// own backend:
//
//	func TestMyCache(t *testing.T) {
//		cachetest.Run(t, func(t *testing.T) cache.Cache { return NewMyCache(t.TempDir()) })
//	}
package cachetest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/godags/godags/cache"
)

// Run checks that the caches which open returns keep the contract of [cache.Cache]. open is called
// once for each subtest and returns an empty cache; it registers its own clean-up with t.
//
// A cache with a method MaxSize() int64 is not given larger values, and when that is at most 64
// MiB, Run checks that it refuses one. A cache that is a [cache.Remover] is tested as one.
func Run(t *testing.T, open func(t *testing.T) cache.Cache) {
	tests := []struct {
		name  string
		check func(t *testing.T, c cache.Cache)
	}{
		{"round trip", roundTrip},
		{"missing key", missingKey},
		{"overwrite", overwrite},
		{"delete", deleteKey},
		{"awkward keys", awkwardKeys},
		{"two runs", twoRuns},
		{"caller keeps its slices", callerKeepsItsSlices},
		{"readers and writers at once", readersAndWriters},
		{"cancelled context", cancelledContext},
		{"too large", tooLarge},
		{"remove run", removeRun},
	}

	// Each test has an empty cache, so that one failure does not cause the next.
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.check(t, open(t)) })
	}
}

func roundTrip(t *testing.T, c cache.Cache) {
	// Large values are skipped in the inner loop: they take most of the time of the suite.
	all := values(limit(c))
	if !testing.Short() {
		all = append(all, largeValues(limit(c))...)
	}

	for _, v := range all {
		t.Run(v.name, func(t *testing.T) {
			key := cache.Key{Run: "run", Name: v.name}
			put(t, c, key, v.bytes)
			want(t, c, key, v.bytes)

			// A read must not use the value up.
			if len(v.bytes) < 4<<20 {
				want(t, c, key, v.bytes)
			}
		})
	}
}

func missingKey(t *testing.T, c cache.Cache) {
	key := cache.Key{Run: "run", Name: "features"}
	wantMissing(t, c, key)
	put(t, c, cache.Key{Run: "run", Name: "other"}, []byte("x"))
	wantMissing(t, c, key)

	_, err := c.Get(t.Context(), key)
	var missing *cache.NotFoundError
	if !errors.As(err, &missing) {
		t.Fatalf("Get of a missing key: got %T (%v), want a *cache.NotFoundError", err, err)
	}

	if missing.Key != key {
		t.Errorf("the NotFoundError is about %v, want %v", missing.Key, key)
	}
}

func overwrite(t *testing.T, c cache.Cache) {
	key := cache.Key{Run: "run", Name: "features"}

	// From each size to a small and to the largest one: a backend that stores them in different
	// ways must not leave parts of the old value.
	sizes := values(limit(c))
	for _, first := range sizes {
		for _, second := range []value{sizes[1], sizes[len(sizes)-1]} {
			put(t, c, key, first.bytes)
			put(t, c, key, second.bytes)
			if !want(t, c, key, second.bytes) {
				t.Fatalf("the value was %s and then %s", first.name, second.name)
			}
		}
	}
}

func deleteKey(t *testing.T, c cache.Cache) {
	key := cache.Key{Run: "run", Name: "a"}

	// A backend that deletes by prefix or pattern would delete this one too.
	neighbour := cache.Key{Run: "run", Name: "ab"}
	put(t, c, neighbour, []byte("stays"))
	for _, v := range values(limit(c)) {
		put(t, c, key, v.bytes)
		remove(t, c, key)
		wantMissing(t, c, key)
	}

	remove(t, c, key) // missing by now
	remove(t, c, cache.Key{Run: "no such run", Name: "a"})
	want(t, c, neighbour, []byte("stays"))
	put(t, c, key, []byte("back"))
	want(t, c, key, []byte("back"))
}

func awkwardKeys(t *testing.T, c cache.Cache) {
	keys := awkward()
	for _, key := range keys {
		put(t, c, key, []byte(key.Run+"\x00"+key.Name))
	}

	for _, key := range keys {
		want(t, c, key, []byte(key.Run+"\x00"+key.Name))
	}

	// Every other key, because keys that are alike stand next to each other.
	for i := 0; i < len(keys); i += 2 {
		remove(t, c, keys[i])
	}

	for i, key := range keys {
		if i%2 == 0 {
			wantMissing(t, c, key)
		} else {
			want(t, c, key, []byte(key.Run+"\x00"+key.Name))
		}
	}
}

func twoRuns(t *testing.T, c cache.Cache) {
	first := cache.Key{Run: "wine-1", Name: "features"}
	second := cache.Key{Run: "wine-2", Name: "features"}
	put(t, c, first, []byte("one"))
	wantMissing(t, c, second)
	put(t, c, second, []byte("two"))
	want(t, c, first, []byte("one"))
	remove(t, c, second)
	wantMissing(t, c, second)
	want(t, c, first, []byte("one"))
}

func callerKeepsItsSlices(t *testing.T, c cache.Cache) {
	for _, v := range values(limit(c)) {
		key := cache.Key{Run: "run", Name: v.name}
		given := bytes.Clone(v.bytes)
		put(t, c, key, given)
		scramble(given)
		if !want(t, c, key, v.bytes) {
			t.Error("the caller's change of the slice that it put has changed the stored value")
		}

		scramble(get(t, c, key))
		if !want(t, c, key, v.bytes) {
			t.Error("the caller's change of the slice that it got has changed the stored value")
		}
	}
}

// scramble changes b, if it has any bytes.
func scramble(b []byte) {
	for i := 0; i < len(b); i += 1 + len(b)/10 {
		b[i] ^= 0xff
	}
}

func cancelledContext(t *testing.T, c cache.Cache) {
	key := cache.Key{Run: "run", Name: "features"}
	put(t, c, key, []byte("x"))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	// "Not found" would be taken for a fact about the value.
	_, err := c.Get(ctx, key)
	if err == nil || errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Get with a cancelled context: got %v, want an error that is not ErrNotFound", err)
	}

	if err := c.Put(ctx, key, []byte("y")); err == nil {
		t.Error("Put with a cancelled context: got no error")
	}

	if err := c.Delete(ctx, key); err == nil {
		t.Error("Delete with a cancelled context: got no error")
	}
}

func tooLarge(t *testing.T, c cache.Cache) {
	// A larger value would need too much memory for a test.
	most := limit(c)
	if most > 64<<20 {
		t.Logf("not checked: needs a cache with a method MaxSize() int64 that returns at most 64 MiB")
		return
	}

	key := cache.Key{Run: "run", Name: "features"}
	fits := bytes.Repeat([]byte("f"), int(most))
	put(t, c, key, fits)

	// It compresses well. The limit is on the value, so that it does not depend on the content.
	err := c.Put(t.Context(), key, append(fits, 'f'))
	if !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Put of %d bytes when at most %d are taken: got %v, want ErrTooLarge", most+1, most, err)
	}

	var large *cache.TooLargeError
	if errors.As(err, &large) && (large.Key != key || large.Size != most+1 || large.Limit != most) {
		t.Errorf("got %+v, want key %v, size %d, limit %d", *large, key, most+1, most)
	}

	want(t, c, key, fits)
}

func removeRun(t *testing.T, c cache.Cache) {
	remover, ok := c.(cache.Remover)
	if !ok {
		t.Log("not checked: the cache is no cache.Remover")
		return
	}

	keys := awkward()
	for _, key := range keys {
		put(t, c, key, []byte("x"))
	}

	// Values that a backend splits or stores elsewhere must go too. All keys are read after each
	// removal, so these values are as small as they can be.
	for _, v := range values(min(limit(c), 1<<20+1)) {
		if len(v.bytes) == 64<<10+1 || len(v.bytes) > 1<<20 {
			keys = append(keys, cache.Key{Run: "run", Name: v.name})
			put(t, c, keys[len(keys)-1], v.bytes)
		}
	}

	// One run at a time: each removal must leave all other runs alone.
	gone := map[string]bool{}
	for _, key := range keys {
		if gone[key.Run] {
			continue
		}
		if err := remover.RemoveRun(t.Context(), key.Run); err != nil {
			t.Fatalf("RemoveRun of %v: %v", key, err)
		}
		gone[key.Run] = true
		wantOnlyRemoved(t, c, keys, gone)
	}

	if err := remover.RemoveRun(t.Context(), "no such run"); err != nil {
		t.Errorf("RemoveRun of a run without values: %v", err)
	}
}

func wantOnlyRemoved(t *testing.T, c cache.Cache, keys []cache.Key, gone map[string]bool) {
	t.Helper()
	for _, key := range keys {
		_, err := c.Get(t.Context(), key)
		if missing := errors.Is(err, cache.ErrNotFound); missing != gone[key.Run] || err != nil && !missing {
			t.Errorf("Get(%v): got error %v; its run was removed: %v", key, err, gone[key.Run])
		}
	}
}
