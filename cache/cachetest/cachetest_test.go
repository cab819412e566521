package cachetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/cache/cachetest"
)

func TestCupboard(t *testing.T) { testCupboard(t) }

// broken is a cache that keeps the contract but for one way, each of which a subtest must find.
type broken struct {
	cache.Cache
	get    func(ctx context.Context, key cache.Key) ([]byte, error)
	put    func(ctx context.Context, key cache.Key, value []byte) error
	delete func(ctx context.Context, key cache.Key) error
	most   int64
}

func (b broken) Get(ctx context.Context, key cache.Key) ([]byte, error) { return b.get(ctx, key) }
func (b broken) Put(ctx context.Context, key cache.Key, v []byte) error { return b.put(ctx, key, v) }
func (b broken) Delete(ctx context.Context, key cache.Key) error        { return b.delete(ctx, key) }
func (b broken) MaxSize() int64                                         { return b.most }

// faults has a way to break a sound cache, by the subtest that must find it.
var faults = map[string]func(sound cache.Cache, b *broken){
	"round trip": func(sound cache.Cache, b *broken) {
		b.put = func(ctx context.Context, key cache.Key, v []byte) error {
			return sound.Put(ctx, key, []byte(strings.ReplaceAll(string(v), "\n", "\r\n")))
		}
	},
	"missing key": func(sound cache.Cache, b *broken) {
		b.get = func(ctx context.Context, key cache.Key) ([]byte, error) {
			v, err := sound.Get(ctx, key)
			if errors.Is(err, cache.ErrNotFound) {
				return nil, nil
			}
			return v, err
		}
	},
	"overwrite": func(sound cache.Cache, b *broken) {
		b.put = func(ctx context.Context, key cache.Key, v []byte) error {
			if old, err := sound.Get(ctx, key); err == nil && len(old) > len(v) {
				v = append(append([]byte{}, v...), old[len(v):]...)
			}
			return sound.Put(ctx, key, v)
		}
	},
	"delete": func(sound cache.Cache, b *broken) {
		b.delete = func(ctx context.Context, key cache.Key) error {
			if _, err := sound.Get(ctx, key); err != nil {
				return err
			}
			return sound.Delete(ctx, key)
		}
	},
	"awkward keys": func(sound cache.Cache, b *broken) {
		b.get = func(ctx context.Context, key cache.Key) ([]byte, error) {
			return sound.Get(ctx, cache.Key{Run: key.Run, Name: strings.ToLower(key.Name)})
		}
		b.put = func(ctx context.Context, key cache.Key, v []byte) error {
			return sound.Put(ctx, cache.Key{Run: key.Run, Name: strings.ToLower(key.Name)}, v)
		}
	},
	"two runs": func(sound cache.Cache, b *broken) {
		b.get = func(ctx context.Context, key cache.Key) ([]byte, error) {
			return sound.Get(ctx, cache.Key{Name: key.Name})
		}
		b.put = func(ctx context.Context, key cache.Key, v []byte) error {
			return sound.Put(ctx, cache.Key{Name: key.Name}, v)
		}
	},
	"caller keeps its slices": func(sound cache.Cache, b *broken) {
		kept := map[cache.Key][]byte{}
		b.get = func(_ context.Context, key cache.Key) ([]byte, error) { return kept[key], nil }
		b.put = func(_ context.Context, key cache.Key, v []byte) error { kept[key] = v; return nil }
	},
	"readers and writers at once": func(sound cache.Cache, b *broken) {
		// the value of 100 bytes with its 8 bytes of introduction is for a time half there
		const whole, half = 108, 54
		var writing sync.Mutex
		var once sync.Once
		seen := make(chan struct{})
		b.get = func(ctx context.Context, key cache.Key) ([]byte, error) {
			v, err := sound.Get(ctx, key)
			if len(v) == half {
				once.Do(func() { close(seen) })
			}
			return v, err
		}
		b.put = func(ctx context.Context, key cache.Key, v []byte) error {
			writing.Lock()
			defer writing.Unlock()
			if len(v) == whole {
				if err := sound.Put(ctx, key, v[:half]); err != nil {
					return err
				}
				<-seen
			}
			return sound.Put(ctx, key, v)
		}
	},
	"cancelled context": func(sound cache.Cache, b *broken) {
		b.put = func(ctx context.Context, key cache.Key, v []byte) error {
			return sound.Put(context.WithoutCancel(ctx), key, v)
		}
	},
	"too large": func(_ cache.Cache, b *broken) { b.most-- },
}

const faultVariable = "GODAGS_CACHETEST_FAULT"

// TestBroken fails when it is told to break something. It is run by TestEveryFaultIsFound.
func TestBroken(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) cache.Cache {
		sound := cache.Memory(cache.MaxSize(21 << 20))
		b := broken{Cache: sound, get: sound.Get, put: sound.Put, delete: sound.Delete, most: sound.MaxSize()}
		if fault := faults[os.Getenv(faultVariable)]; fault != nil {
			fault(sound, &b)
		}
		return b
	})
}

func TestEveryFaultIsFound(t *testing.T) {
	for subtest := range faults {
		t.Run(subtest, func(t *testing.T) {
			name := strings.ReplaceAll(subtest, " ", "_")
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$/^"+name+"$")
			child.Env = append(os.Environ(), faultVariable+"="+subtest)
			out, err := child.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestBroken/"+name) {
				t.Errorf("the suite did not find the fault (%v):\n%s", err, out)
			}
		})
	}
}
