package cachetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/godags/godags/cache"
)

type value struct {
	name  string
	bytes []byte
}

// values returns values of at most limit bytes, by size, from both sides of the sizes at which
// backends change how they store a value: 64 KiB and 1 MiB for those of package cache.
func values(limit int64) []value {
	return upTo(limit, []value{
		{"empty", nil},
		{"1 byte", []byte{0}},
		{"text", []byte("json\n{\"rows\":178}")},
		{"64 KiB - 1", noise(1, 64<<10-1)},
		{"64 KiB", noise(2, 64<<10)},
		{"64 KiB + 1", noise(3, 64<<10+1)},
		{"64 KiB + 1 compressible", bytes.Repeat([]byte("a"), 64<<10+1)},
		{"1 MiB", noise(4, 1<<20)},
		{"1 MiB + 1", noise(5, 1<<20+1)},
		{"2.5 MiB", noise(6, 5<<19)},
	})
}

// largeValues returns values that are larger than the usual limits of one message: 4 MiB of gRPC, 5
// MiB of a part in S3, 16 MiB of a document. They are written and read only once: under
// the race detector, each copy of 20 MB can take a second.
func largeValues(limit int64) []value {
	const large = 20 << 20
	return upTo(limit, []value{
		{"20 MB compressible", bytes.Repeat([]byte("godags, "), large/8)},
		{"20 MB incompressible", noise(7, large)},
	})
}

// upTo returns the values, which are sorted, that have at most limit bytes.
func upTo(limit int64, all []value) []value {
	for i, v := range all {
		if int64(len(v.bytes)) > limit {
			return all[:i]
		}
	}

	return all
}

// noise returns size bytes that do not compress, always the same for a seed.
func noise(seed uint64, size int) []byte {
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	b := make([]byte, size)
	rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// awkward returns keys that a backend may mistake for one another, for a path, or for a pattern.
func awkward() []cache.Key {
	names := []string{
		"", ".", "..", "/", "a", "A", "a/", "/a", "a/b", "a//b", "a/../b", "../a", "../../etc/passwd", `a\b`, "a:b", "a b", "a%2Fb", "a%",
		"o/train/1", "o/train/11", "line\nbreak", "line\r\nbreak", "nul\x00byte", "\xff\xfe", "é", "e\u0301", "{a}", "}", "a*", "a?", "[ab]",
		"tmp-1", "val:a", "CON", strings.Repeat("n", 10_000), strings.Repeat("n", 9_999), strings.Repeat("/", 10_000),
	}

	// Patterns come first: they are removed while what they match is still there.
	runs := []string{"r?n", "run*", "[r]un", `run\`, "ru", "runs", "run/a", "run:val", "run}:val:x", "\n", "\x00", "%", strings.Repeat("r", 10_000)}
	var keys []cache.Key
	for _, run := range runs {
		keys = append(keys, cache.Key{Run: run, Name: "a"}, cache.Key{Run: run, Name: "y"})
	}

	for _, run := range []string{"run", "RUN", "", ".."} {
		for _, name := range names {
			keys = append(keys, cache.Key{Run: run, Name: name})
		}
	}

	return append(keys, cache.Key{Run: "run", Name: "x}:val:y"})
}

// limit is the most bytes that c says it takes for one value.
func limit(c cache.Cache) int64 {
	if c, ok := c.(interface{ MaxSize() int64 }); ok {
		return c.MaxSize()
	}
	return math.MaxInt64
}

func put(t *testing.T, c cache.Cache, key cache.Key, value []byte) {
	t.Helper()
	if err := c.Put(t.Context(), key, value); err != nil {
		t.Fatalf("Put(%v, %d bytes): %v", key, len(value), err)
	}
}

func get(t *testing.T, c cache.Cache, key cache.Key) []byte {
	t.Helper()
	value, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%v): %v", key, err)
	}
	return value
}

func remove(t *testing.T, c cache.Cache, key cache.Key) {
	t.Helper()
	if err := c.Delete(t.Context(), key); err != nil {
		t.Fatalf("Delete(%v): %v", key, err)
	}
}

// want reports whether the value under key is as wanted, and says so if not.
func want(t *testing.T, c cache.Cache, key cache.Key, wanted []byte) bool {
	t.Helper()
	got := get(t, c, key)
	if bytes.Equal(got, wanted) {
		return true
	}
	t.Errorf("Get(%v): got %s, want %s", key, brief(got), brief(wanted))
	return false
}

func wantMissing(t *testing.T, c cache.Cache, key cache.Key) {
	t.Helper()
	if got, err := c.Get(t.Context(), key); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Get(%v): got %s and error %v, want ErrNotFound", key, brief(got), err)
	}
}

func brief(b []byte) string {
	return fmt.Sprintf("%d bytes %q", len(b), b[:min(len(b), 40)])
}
