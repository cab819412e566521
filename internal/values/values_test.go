package values

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/spec"
)

func TestAnOutputThatWasChangedSinceItWasRecordedIsNotRead(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		b := spec.Builder{Name: "p"}
		stage := b.Add("big", nil, spec.Kind{Task: "noop"})
		sp, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		stores, value := NewStores(rdb, nil), bytes.Repeat([]byte("x"), MaxInline+1)
		recorded, err := stores.Seal(t.Context(), sp, "r", stage, sp.Graph.Name(stage), 1, value)
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
	recorded, err := stores.Seal(t.Context(), sp, "r", stage, "one", 1, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.RemoveRun(t.Context(), sp, "r"); err != nil {
		t.Fatal(err)
	}
	if _, err := stores.Open(t.Context(), sp, "r", stage, recorded); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("after the run was removed: %v", err)
	}
}
