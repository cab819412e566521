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
	chosen map[string]cache.Cache // by task: what its Go code asked for
	open   map[string]cache.Cache // by URL
}

// NewStores returns the stores on the given Redis. Tasks in chosen have a cache of their own.
func NewStores(rdb redis.UniversalClient, chosen map[string]cache.Cache) *Stores {
	return &Stores{redis: cache.Redis(rdb), journal: journal.New(rdb), chosen: chosen, open: make(map[string]cache.Cache)}
}

// Add makes known which caches the Go code of further tasks chose.
func (s *Stores) Add(chosen map[string]cache.Cache) {
	s.mu.Lock()
	defer s.mu.Unlock()

	// The map is replaced, not changed: the one that NewStores was given belongs to the caller.
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

// at returns the cache at a URL: always the same one, since one in memory is not another.
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

	return nil, fmt.Errorf("values: %q is no store: use redis, memory, or disk:FOLDER", url)
}

// ParseURL checks what a person wrote for a store and makes it fit for a run: a folder becomes
// absolute, since workers may have another working directory. The folder of "disk" alone is
// home/values.
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

		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("values: %w", err)
		}
		if err := jsontext.CheckText(abs); err != nil {
			return "", fmt.Errorf("values: the folder cannot be told to workers: %w", err)
		}

		return "disk:" + abs, nil
	}

	hint := ""
	if near := nearest.Name(kind, []string{"redis", "memory", "disk"}); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return "", fmt.Errorf("values: %q is no store%s: use redis, memory, disk or disk:FOLDER", text, hint)
}

// Put stores a value by key, unless the guard does not hold any more: then it returns
// [guard.ErrRefused]. Of a store that is not in the Redis of the run that is found out before the
// value is stored: what comes between the two goes unnoticed.
func (s *Stores) Put(ctx context.Context, g guard.Guard, store cache.Cache, key cache.Key, value []byte) error {
	return s.guarded(ctx, g, store, func(ctx context.Context) error { return store.Put(ctx, key, value) })
}

// Delete deletes a value by key, under the same condition as [Stores.Put].
func (s *Stores) Delete(ctx context.Context, g guard.Guard, store cache.Cache, key cache.Key) error {
	return s.guarded(ctx, g, store, func(ctx context.Context) error { return store.Delete(ctx, key) })
}

func (s *Stores) guarded(ctx context.Context, g guard.Guard, store any, write func(context.Context) error) error {
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

// RemoveRun removes the values of a run from all caches that can do so and that its stages use
// here, while the guard holds. The spec may be nil: then only what is in Redis is removed.
func (s *Stores) RemoveRun(ctx context.Context, g guard.Guard, sp *spec.Spec, run journal.RunID) error {
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

// A recorded output is 'v' and the value itself, 'r' and a reference in JSON, or 'n' for none.
const (
	none      = 'n'
	inline    = 'v'
	elsewhere = 'r'
)

// None returns what is recorded for a stage without an output.
func None() []byte { return []byte{none} }

// IsNone reports whether what is recorded says that a stage has no output.
func IsNone(recorded []byte) bool { return string(recorded) == string(none) }

type reference struct {
	Name string `json:"name"` // of the value in the stage's cache
	Size int    `json:"size"` // of the value without the name of its codec
	Sum  string `json:"sha256"`
}

// Output is what an attempt leaves.
type Output struct {
	Run   journal.RunID
	Stage dag.StageID // of the graph: that of which the attempt executes an instance, if it does
	// in the store: unlike that of any other attempt, of this or another run of the same id
	Name  string
	Value []byte
	Guard guard.Guard // holds while the attempt counts
}

// Seal returns what to record for an output. Anything but a small value in Redis goes to the cache
// first, under a name of its own for each attempt: an attempt that has been replaced cannot spoil
// the value of the one that counts. If the guard does not hold any more, nothing is left in the
// store, and Seal returns [guard.ErrRefused].
func (s *Stores) Seal(ctx context.Context, sp *spec.Spec, o Output) (recorded []byte, sum journal.Digest, err error) {
	value := o.Value
	store, err := s.For(sp, o.Stage)
	if err != nil {
		return nil, sum, err
	}

	// The same for both ways of recording, so that equal outputs have equal digests. At most 64 KiB
	// take 40 µs here; a larger value needs the digest anyway.
	sum = digest(value)
	if store == s.redis && len(value) <= MaxInline {
		return append([]byte{inline}, value...), sum, nil
	}

	ref := reference{o.Name, payload(value), sum.String()}
	if err := s.store(ctx, o, store); err != nil {
		return nil, sum, fmt.Errorf("store output: %w", err)
	}

	text, err := json.Marshal(ref)
	if err != nil {
		return nil, sum, fmt.Errorf("store output: %w", err)
	}

	return append([]byte{elsewhere}, text...), sum, nil
}

// store stores an output. In Redis that and the look at the guard are one step. Elsewhere the guard
// is looked at afterwards, and the value deleted if it does not hold: nobody else knows its name.
func (s *Stores) store(ctx context.Context, o Output, store cache.Cache) error {
	key := cache.Key{Run: string(o.Run), Name: o.Name}
	if store == s.redis {
		return store.Put(guard.With(ctx, o.Guard), key, o.Value)
	}
	if err := store.Put(ctx, key, o.Value); err != nil {
		return err
	}

	err := s.mayWrite(ctx, o.Guard)
	if errors.Is(err, guard.ErrRefused) {
		err = errors.Join(err, store.Delete(ctx, key))
	}
	return err
}

// digest returns the SHA-256 of a value. It is computed in pieces: one call for hundreds of
// megabytes cannot be interrupted by the runtime, and a garbage collection that waits for its end
// stops everything else in the process, such as the heartbeat of the worker.
func digest(value []byte) journal.Digest {
	const piece = 1 << 20
	if len(value) <= piece {
		return sha256.Sum256(value)
	}

	h := sha256.New()
	for some := range slices.Chunk(value, piece) {
		h.Write(some) // never fails
	}
	return journal.Digest(h.Sum(nil))
}

// DigestOf returns the digest of the value behind a recorded output, without fetching the value; the
// zero digest for none.
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
func (s *Stores) Open(ctx context.Context, sp *spec.Spec, run journal.RunID, id dag.StageID, recorded []byte) ([]byte, error) {
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

// explain says why a value that was stored cannot be found: most often a cache that not every
// worker sees.
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

// Size returns the length of the value behind a recorded output, as its stage made it, without
// fetching it.
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
