package cache_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/cache/cachetest"
	"pgregory.net/rapid"
)

// suiteLimit is small enough for the suite to try a larger value, and takes all its others.
const suiteLimit = 21 << 20

// backends opens each kind of cache; each is empty and limited to suiteLimit.
var backends = map[string]func(t *testing.T) cache.Cache{
	"memory":    func(*testing.T) cache.Cache { return cache.Memory(cache.MaxSize(suiteLimit)) },
	"disk":      func(t *testing.T) cache.Cache { return cache.Disk(t.TempDir(), cache.MaxSize(suiteLimit)) },
	"miniredis": func(t *testing.T) cache.Cache { return cache.Redis(openMiniredis(t), cache.MaxSize(suiteLimit)) },
	"redis":     func(t *testing.T) cache.Cache { return cache.Redis(openRedis(t), cache.MaxSize(suiteLimit)) },
}

func TestConformance(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(backends)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait for the disk and for each other's servers
			cachetest.Run(t, backends[name])
		})
	}
}

// Whatever is done to a few keys that are easily mistaken for one another, a backend acts like a
// map.
func TestActsLikeAMap(t *testing.T) {
	for _, name := range []string{"memory", "disk", "miniredis"} {
		t.Run(name, func(t *testing.T) {
			c := backends[name](t)
			rapid.Check(t, func(r *rapid.T) { compareWithMap(r, c) })
		})
	}
}

func compareWithMap(t *rapid.T, c cache.Cache) {
	ctx := context.Background()
	model := map[cache.Key]string{}
	texts := rapid.StringOfN(rapid.SampledFrom([]rune("a/.{}:*%\n")), 0, 3, -1)
	keys := rapid.Custom(func(t *rapid.T) cache.Key { return cache.Key{Run: texts.Draw(t, "run"), Name: texts.Draw(t, "name")} })
	failOn := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"put": func(t *rapid.T) {
			key, value := keys.Draw(t, "key"), rapid.String().Draw(t, "value")
			failOn(c.Put(ctx, key, []byte(value)))
			model[key] = value
		},
		"delete": func(t *rapid.T) {
			key := keys.Draw(t, "key")
			failOn(c.Delete(ctx, key))
			delete(model, key)
		},
		"remove run": func(t *rapid.T) {
			run := texts.Draw(t, "run")
			failOn(c.(cache.Remover).RemoveRun(ctx, run))
			maps.DeleteFunc(model, func(key cache.Key, _ string) bool { return key.Run == run })
		},
		"": func(t *rapid.T) {
			key := keys.Draw(t, "key")
			for _, key := range append(slices.Collect(maps.Keys(model)), key) {
				wanted, there := model[key]
				got, err := c.Get(ctx, key)
				if there && err != nil || !there && !errors.Is(err, cache.ErrNotFound) || string(got) != wanted {
					t.Fatalf("Get(%v): got %q and error %v, want %q (there: %v)", key, got, err, wanted, there)
				}
			}
		},
	})
	for key := range model { // the next round begins with an empty cache
		failOn(c.Delete(ctx, key))
	}
}

func TestCancelledContextIsTheCause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, open := range backends {
		if name == "redis" {
			continue // the same code as on miniredis
		}
		c := open(t)
		_, get := c.Get(ctx, key)
		for op, err := range map[string]error{
			"get": get, "put": c.Put(ctx, key, nil), "large put": c.Put(ctx, key, noise(9<<20)), "delete": c.Delete(ctx, key),
			"remove run": c.(cache.Remover).RemoveRun(ctx, key.Run),
		} {
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `"wine-1"`) {
				t.Errorf("%s on %s: got %v, want context.Canceled and the name of the run", op, name, err)
			}
		}
	}
}

func TestDefaultLimits(t *testing.T) {
	for _, test := range []struct {
		c    interface{ MaxSize() int64 }
		want int64
	}{
		{cache.Memory(), 1 << 30},
		{cache.Disk("folder"), 64 << 30},
		{cache.Redis(nil), 512 << 20},
		{cache.Memory(cache.MaxSize(0)), 1 << 30},
		{cache.Memory(cache.MaxSize(7)), 7},
	} {
		if got := test.c.MaxSize(); got != test.want {
			t.Errorf("%T: got a limit of %d, want %d", test.c, got, test.want)
		}
	}
}

func TestErrorsSayWhatWhereAndWhatToDo(t *testing.T) {
	long := cache.Key{Run: "wine-1", Name: "two\nlines" + strings.Repeat("x", 10_000)}
	for _, test := range []struct {
		err  error
		want string
	}{
		{
			&cache.NotFoundError{Key: key},
			`cache: no value "features" in run "wine-1": a stage that comes before must put it first`,
		},
		{
			&cache.NotFoundError{Key: key, Stage: "train"},
			`cache: no value "features" in run "wine-1" for stage "train": a stage that comes before must put it first`,
		},
		{
			&cache.NotFoundError{Key: key, Stage: "train", Damage: "/v/1: its checksum is wrong"},
			`cache: no value "features" in run "wine-1" for stage "train": the stored entry is damaged (/v/1: its checksum is wrong); run the stage that puts it again`,
		},
		{
			&cache.NotFoundError{Key: long},
			`cache: no value "two\nlines` + strings.Repeat("x", 91) + `"... (10009 bytes) in run "wine-1": a stage that comes before must put it first`,
		},
		{
			&cache.TooLargeError{Key: key, Size: 3 << 29, Limit: 1 << 30, Backend: "memory"},
			`cache: value "features" in run "wine-1" is too large: 1.5 GiB (1610612736 bytes), and the memory backend takes at most 1.0 GiB (1073741824 bytes): ` +
				`keep it on disk with cache.Disk, or raise its limit with cache.MaxSize`,
		},
		{
			&cache.TooLargeError{Key: key, Size: 101, Limit: 100, Backend: "disk"},
			`cache: value "features" in run "wine-1" is too large: 101 bytes, and the disk backend takes at most 100 bytes: raise its limit with cache.MaxSize`,
		},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// wantDamaged fails unless the value under key is reported as missing because it is damaged.
func wantDamaged(t *testing.T, c cache.Cache, key cache.Key, how string) {
	t.Helper()
	value, err := c.Get(t.Context(), key)
	missing, ok := errors.AsType[*cache.NotFoundError](err)
	if !ok || missing.Damage == "" {
		t.Errorf("%s: got %d bytes and error %v, want a NotFoundError that tells of the damage", how, len(value), err)
	}
}

// noise returns bytes that do not compress.
func noise(size int) []byte {
	var seed [32]byte
	b := make([]byte, size)
	rand.NewChaCha8(seed).Read(b) // never fails
	return b
}

// text returns bytes that compress.
func text(size int) []byte { return bytes.Repeat([]byte("some text "), size/10+1)[:size] }
