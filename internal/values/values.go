// Package values decides where the values of a run live, and how the journal refers to them.
package values

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/spec"
)

// MaxInline is the size of the largest output, in bytes, that is recorded in Redis together with
// the stage's success.
const MaxInline = 64 << 10

// Stores finds the cache of each stage. It is safe for concurrent use.
type Stores struct {
	redis   cache.Cache
	journal *journal.Journal

	mu     sync.Mutex
	chosen map[string]cache.Cache // by task: the cache that its Go code chose
	open   map[string]cache.Cache // by URL
}

// NewStores returns the stores on the given Redis. Tasks in chosen use the cache that is given
// there.
func NewStores(rdb redis.UniversalClient, chosen map[string]cache.Cache) *Stores {
	return &Stores{redis: cache.Redis(rdb), journal: journal.New(rdb), chosen: chosen, open: make(map[string]cache.Cache)}
}

// Add adds the caches that the Go code of further tasks chose.
func (s *Stores) Add(chosen map[string]cache.Cache) {
	s.mu.Lock()
	defer s.mu.Unlock()

	// The map is replaced and not changed: the argument of NewStores belongs to the caller.
	all := maps.Clone(s.chosen)
	if all == nil {
		all = make(map[string]cache.Cache)
	}

	maps.Copy(all, chosen)
	s.chosen = all
}

// chosenBy returns the cache that the Go code of a task chose, or nil.
func (s *Stores) chosenBy(task string) cache.Cache {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chosen[task]
}

// For returns the cache of a stage: the one that its Go code chose, else the run's, else Redis.
func (s *Stores) For(sp *spec.Spec, id dag.StageID) (cache.Cache, error) {
	if c := s.chosenBy(sp.Kind(id).Task); c != nil {
		return c, nil
	}
	return s.at(sp.Values)
}

// at returns the cache at a URL. The same URL gives the same cache, since values in memory would be
// lost with another one.
func (s *Stores) at(url string) (cache.Cache, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.open[url]; c != nil {
		return c, nil
	}

	c, err := s.parse(url)
	if err == nil {
		s.open[url] = c
	}
	return c, err
}

func (s *Stores) parse(url string) (cache.Cache, error) {
	kind, dir, _ := strings.Cut(url, ":")
	switch kind {
	case "", "redis":
		return s.redis, nil
	case "memory":
		return cache.Memory(), nil
	case "disk":
		return cache.Disk(dir), nil
	}

	return nil, fmt.Errorf("values: %q is not a store: use redis, memory, or disk:FOLDER", url)
}

// ParseURL checks the text that a user wrote for a store, and returns it for a run. The path of a
// folder becomes absolute. The folder of "disk" alone is home/values.
func ParseURL(text, home string) (string, error) {
	kind, dir, _ := strings.Cut(text, ":")
	switch kind {
	case "redis", "memory", "":
		if dir == "" {
			return kind, nil
		}
	case "disk":
		if dir == "" {
			dir = filepath.Join(home, "values")
		}

		// Workers may have another working directory.
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("values: %w", err)
		}
		if err := jsontext.CheckText(abs); err != nil {
			return "", fmt.Errorf("values: the folder cannot be sent to workers: %w", err)
		}

		return "disk:" + abs, nil
	}

	hint := ""
	if near := nearest.Name(kind, []string{"redis", "memory", "disk"}); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return "", fmt.Errorf("values: %q is not a store%s: use redis, memory, disk or disk:FOLDER", text, hint)
}

// Put stores a value by key while the guard holds. Otherwise it returns [guard.ErrRefused].
func (s *Stores) Put(ctx context.Context, g guard.Guard, store cache.Cache, key cache.Key, value []byte) error {
	return s.guarded(ctx, g, store, func(ctx context.Context) error { return store.Put(ctx, key, value) })
}

// Delete deletes a value by key, under the same condition as [Stores.Put].
func (s *Stores) Delete(ctx context.Context, g guard.Guard, store cache.Cache, key cache.Key) error {
	return s.guarded(ctx, g, store, func(ctx context.Context) error { return store.Delete(ctx, key) })
}

func (s *Stores) guarded(ctx context.Context, g guard.Guard, store any, write func(context.Context) error) error {
	// In the Redis of the run, the guard and the write are one step. Other stores cannot do that:
	// the guard is checked before the write, and a change in between goes unnoticed.
	if store == any(s.redis) {
		return write(guard.With(ctx, g))
	}
	if err := s.mayWrite(ctx, g); err != nil {
		return err
	}
	return write(ctx)
}

// mayWrite returns [guard.ErrRefused] if the guard does not hold.
func (s *Stores) mayWrite(ctx context.Context, g guard.Guard) error {
	holds, err := s.journal.Holds(ctx, g)
	if err == nil && !holds {
		err = guard.ErrRefused
	}
	return err
}

// RemoveRun removes the values of a run while the guard holds, from all caches that its stages use
// in this process and that can do so. If the spec is nil, it removes only values in Redis.
func (s *Stores) RemoveRun(ctx context.Context, g guard.Guard, sp *spec.Spec, run journal.RunID) error {
	// Several tasks may share a cache. A type that cannot be a key of the map is left out.
	removers := make(map[cache.Remover]bool)
	add := func(c cache.Cache) {
		if r, ok := c.(cache.Remover); ok && reflect.TypeOf(c).Comparable() {
			removers[r] = true
		}
	}

	add(s.redis)
	if sp != nil {
		for _, k := range sp.Kinds() {
			add(s.chosenBy(k.Task))
		}
		c, err := s.at(sp.Values)
		if err != nil {
			return err
		}
		add(c)
	}

	var errs []error
	for r := range removers {
		errs = append(errs, s.guarded(ctx, g, r, func(ctx context.Context) error { return r.RemoveRun(ctx, string(run)) }))
	}
	return errors.Join(errs...)
}

// The first byte of a recorded output. The value itself follows after v, a reference in JSON after
// r.
const (
	none      = 'n'
	inline    = 'v'
	elsewhere = 'r'
)

// None returns the recorded output of a stage that has none.
func None() []byte { return []byte{none} }

// IsNone reports whether a recorded output says that the stage has none.
func IsNone(recorded []byte) bool { return string(recorded) == string(none) }

type reference struct {
	Name string `json:"name"` // of the value in the stage's cache
	Size int    `json:"size"` // of the value without the name of its codec
	Sum  string `json:"sha256"`
}

// Output is the output of an attempt.
type Output struct {
	Run   journal.RunID
	Stage dag.StageID // of the graph: the mapped stage, if the attempt is of an instance
	// Name is the name of the value in the store. No other attempt has it, not even one of another
	// run with the same ID.
	Name  string
	Value []byte
	Guard guard.Guard // holds while the attempt counts
}

// Store stores an output and returns what to record for it, and its digest. If the guard does not
// hold any more, nothing stays in the store, and the error is [guard.ErrRefused].
func (s *Stores) Store(
	ctx context.Context, sp *spec.Spec, o Output,
) (recorded []byte, sum journal.Digest, err error) {
	value := o.Value
	store, err := s.For(sp, o.Stage)
	if err != nil {
		return nil, sum, err
	}

	// The same for both ways of recording, so that equal outputs have equal digests. At most 64 KiB
	// take 40 µs here; a larger value needs the digest anyway.
	sum = digest(value)

	// A small value is recorded itself. Any other goes to the cache first, under a name that only
	// this attempt has: a replaced attempt cannot change the value of the one that counts.
	if store == s.redis && len(value) <= MaxInline {
		return append([]byte{inline}, value...), sum, nil
	}

	ref := reference{o.Name, payload(value), sum.String()}
	if err := s.put(ctx, o, store); err != nil {
		return nil, sum, fmt.Errorf("store output: %w", err)
	}

	text, err := json.Marshal(ref)
	if err != nil {
		return nil, sum, fmt.Errorf("store output: %w", err)
	}

	return append([]byte{elsewhere}, text...), sum, nil
}

// put stores an output while the guard holds.
func (s *Stores) put(ctx context.Context, o Output, store cache.Cache) error {
	key := cache.Key{Run: string(o.Run), Name: o.Name}
	if store == s.redis {
		return store.Put(guard.With(ctx, o.Guard), key, o.Value)
	}

	// Outside Redis, the guard is checked after the value was stored. If it does not hold, the
	// value is deleted, which is safe: no other attempt has its name.
	if err := store.Put(ctx, key, o.Value); err != nil {
		return err
	}

	err := s.mayWrite(ctx, o.Guard)
	if errors.Is(err, guard.ErrRefused) {
		err = errors.Join(err, store.Delete(ctx, key))
	}
	return err
}

// digest returns the SHA-256 of a value.
func digest(value []byte) journal.Digest {
	const piece = 1 << 20
	if len(value) <= piece {
		return sha256.Sum256(value)
	}

	// The runtime cannot interrupt one call for hundreds of megabytes. A garbage collection that
	// waits for the call would stop the whole process, heartbeats included.
	h := sha256.New()
	for some := range slices.Chunk(value, piece) {
		h.Write(some) // never fails
	}
	return journal.Digest(h.Sum(nil))
}

// DigestOf returns the digest of the value behind a recorded output, without fetching the value;
// the zero digest for none.
func DigestOf(recorded []byte) (sum journal.Digest, err error) {
	switch {
	case len(recorded) == 0 || IsNone(recorded):
		return sum, nil
	case recorded[0] == inline:
		return digest(recorded[1:]), nil
	}

	var ref reference
	if recorded[0] != elsewhere || json.Unmarshal(recorded[1:], &ref) != nil || len(ref.Sum) != hex.EncodedLen(len(sum)) {
		return sum, errDamaged
	}
	if _, err := hex.Decode(sum[:], []byte(ref.Sum)); err != nil {
		return journal.Digest{}, errDamaged
	}
	return sum, nil
}

var errDamaged = errors.New("the recorded output is damaged")

// Open returns the value behind a recorded output of a stage.
func (s *Stores) Open(
	ctx context.Context, sp *spec.Spec, run journal.RunID, id dag.StageID, recorded []byte,
) ([]byte, error) {
	if len(recorded) > 0 && recorded[0] == inline {
		return recorded[1:], nil
	}

	var ref reference
	if len(recorded) == 0 || recorded[0] != elsewhere || json.Unmarshal(recorded[1:], &ref) != nil {
		return nil, fmt.Errorf("run %s: the recorded output of stage %q is damaged", run, sp.Graph.Name(id))
	}

	store, err := s.For(sp, id)
	if err != nil {
		return nil, err
	}

	value, err := store.Get(ctx, cache.Key{Run: string(run), Name: ref.Name})
	if err != nil {
		return nil, s.explain(store, sp, id, err)
	}
	if digest(value).String() != ref.Sum {
		return nil, fmt.Errorf("run %s: the output of stage %q was changed since it was recorded", run, sp.Graph.Name(id))
	}

	return value, nil
}

// explain adds the most likely reason why a stored value is missing: a cache that not every worker
// shares.
func (s *Stores) explain(store cache.Cache, sp *spec.Spec, id dag.StageID, err error) error {
	if !errors.Is(err, cache.ErrNotFound) {
		return err
	}

	switch store.(type) {
	case *cache.MemoryCache:
		err = fmt.Errorf("%w (values in memory are seen by one process only: choose redis or disk when there are several)", err)
	case *cache.DiskCache:
		err = fmt.Errorf("%w (is the folder the same one for every worker?)", err)
	}

	return fmt.Errorf("output of stage %q: %w", sp.Graph.Name(id), err)
}

// Size returns the length of the value behind a recorded output, without its codec. It does not
// fetch the value.
func Size(recorded []byte) int {
	var ref reference
	if len(recorded) > 0 && recorded[0] == elsewhere && json.Unmarshal(recorded[1:], &ref) == nil {
		return ref.Size
	}
	return payload(recorded[min(1, len(recorded)):])
}

// payload returns the length of a value without the name of its codec.
func payload(value []byte) int {
	if _, bytes, err := cache.Split(value); err == nil {
		return len(bytes)
	}
	return len(value)
}
