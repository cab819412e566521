package values

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/spec"
)

// held returns a guard that holds.
func held(rdb *redis.Client) guard.Guard {
	rdb.Set(context.Background(), "fence", "01234567claimed!", 0)
	return guard.Guard{Key: "fence", Cells: []guard.Cell{{Offset: 0, Want: "claimed!"}, {Offset: 8, Want: "claimed!"}}}
}

func output(rdb *redis.Client, stage dag.StageID, value []byte) Output {
	return Output{Run: "r", Stage: stage, Name: "out/s/1", Value: value, Guard: held(rdb)}
}

func TestAnOutputThatWasChangedSinceItWasRecordedIsNotRead(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		b := spec.Builder{Name: "p"}
		stage := b.Add("big", nil, spec.Kind{Task: "noop"})
		sp, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		stores, value := NewStores(rdb, nil), bytes.Repeat([]byte("x"), MaxInline+1)
		recorded, _, err := stores.Store(t.Context(), sp, output(rdb, stage, value))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := stores.Open(t.Context(), sp, "r", stage, recorded); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		keys := rdb.Keys(t.Context(), "godags:{r}:val:*").Val()
		if len(keys) != 1 {
			t.Fatalf("stored as %q", keys)
		}
		stored, err := rdb.Get(t.Context(), keys[0]).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		stored[len(stored)/2] ^= 1
		if err := rdb.Set(t.Context(), keys[0], stored, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := stores.Open(t.Context(), sp, "r", stage, recorded); err == nil || !strings.Contains(err.Error(), "big") {
			t.Errorf("a changed value: %v", err)
		}
		for _, bad := range []string{"", "x", "r", "r{", `r{"sha256":1}`} {
			if _, err := stores.Open(t.Context(), sp, "r", stage, []byte(bad)); err == nil {
				t.Errorf("recorded %q: no error", bad)
			}
		}
	})
}

func TestTheValuesOfARunInMemoryAreRemovedWithIt(t *testing.T) {
	rdb := redistest.Mini(t)
	b := spec.Builder{Name: "p", Values: "memory"}
	stage := b.Add("one", nil, spec.Kind{Task: "noop"})
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	stores := NewStores(rdb, nil)
	recorded, _, err := stores.Store(t.Context(), sp, output(rdb, stage, []byte("value")))
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.RemoveRun(t.Context(), held(rdb), sp, "r"); err != nil {
		t.Fatal(err)
	}
	if _, err := stores.Open(t.Context(), sp, "r", stage, recorded); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("after the run was removed: %v", err)
	}
}

// A process that lost the right to write, such as a worker that was replaced and a remover that was
// stopped for too long, changes nothing.
func TestStores_LateWritesHaveNoEffect(t *testing.T) {
	for _, store := range []string{"redis", "memory", "disk:" + t.TempDir()} {
		redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
			b := spec.Builder{Name: "p", Values: store}
			stage := b.Add("one", nil, spec.Kind{Task: "noop"})
			sp, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			stores := NewStores(rdb, nil)
			c, err := stores.For(sp, stage)
			if err != nil {
				t.Fatal(err)
			}
			o := output(rdb, stage, bytes.Repeat([]byte("x"), MaxInline+1))
			there, named := cache.Key{Run: "r", Name: "there"}, cache.Key{Run: "r", Name: "named"}
			if err := stores.Put(t.Context(), o.Guard, c, there, []byte("1")); err != nil {
				t.Fatal(err)
			}
			rdb.Set(t.Context(), "fence", "01234567replaced", 0)

			_, _, stored := stores.Store(t.Context(), sp, o)
			for what, err := range map[string]error{
				"output":  stored,
				"value":   stores.Put(t.Context(), o.Guard, c, named, []byte("2")),
				"delete":  stores.Delete(t.Context(), o.Guard, c, there),
				"removal": stores.RemoveRun(t.Context(), o.Guard, sp, "r"),
			} {
				if !errors.Is(err, guard.ErrRefused) {
					t.Errorf("%s: late %s: %v; want that it is refused", store, what, err)
				}
			}
			if value, err := c.Get(t.Context(), there); string(value) != "1" || err != nil {
				t.Errorf("%s: the value of others: %q, %v", store, value, err)
			}
			for _, key := range []cache.Key{named, {Run: "r", Name: o.Name}} {
				if _, err := c.Get(t.Context(), key); !errors.Is(err, cache.ErrNotFound) {
					t.Errorf("%s: %s is there: %v", store, key.Name, err)
				}
			}
		})
	}
}
