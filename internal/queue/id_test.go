package queue

import (
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTaskID_IsReadable(t *testing.T) {
	for _, c := range []struct {
		run, stage string
		attempt    int
		want       string
	}{
		{"nightly-20261130-abc", "load", 1, "nightly‐20261130‐abc:load:1"},
		{"r", "each-item[12]", 3, "r:each‐item[12]:3"},
		{"r", "fetch: daily", 1, "r:fetch: daily:1"},
		{"r", "naïve 100%", 1, "r:naïve 100~25:1"},
		{"r", "a‐b", 1, "r:a~e2~80~90b:1"},
	} {
		if got := TaskID(c.run, c.stage, c.attempt); got != c.want {
			t.Errorf("%q, %q, %d: got %q, want %q", c.run, c.stage, c.attempt, got, c.want)
		}
	}
}

var escapes = regexp.MustCompile(`~[0-9a-f]{2}|‐`)

// attemptOf is the inverse of TaskID: that it exists for all IDs is why no two attempts share one.
func attemptOf(t *rapid.T, id string) (run, stage string, attempt int) {
	plain := func(part string) string {
		return escapes.ReplaceAllStringFunc(part, func(escape string) string {
			if escape == string(hyphen) {
				return "-"
			}
			b, err := hex.DecodeString(escape[1:])
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		})
	}
	run, rest, first := strings.Cut(id, ":")
	last := strings.LastIndex(rest, ":")
	if !first || last < 0 {
		t.Fatalf("%q does not have three parts", id)
	}
	attempt, err := strconv.Atoi(rest[last+1:])
	if err != nil {
		t.Fatal(err)
	}
	return plain(run), plain(rest[:last]), attempt
}

func TestTaskID_DiffersForDifferentAttempts(t *testing.T) {
	odd := rapid.OneOf(rapid.String(), rapid.StringMatching(`[-:~#/%‐a25\x{FFFD}]{0,6}`),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		run, stage, attempt := odd.Draw(t, "run"), odd.Draw(t, "stage"), rapid.IntRange(1, 1<<16-1).Draw(t, "attempt")
		id := TaskID(run, stage, attempt)
		if strings.ContainsAny(id, `-/\#?%$`) {
			t.Fatalf("%q loses something in asynqmon", id)
		}
		if r, s, a := attemptOf(t, id); r != run || s != stage || a != attempt {
			t.Fatalf("%q says %q, %q, %d; want %q, %q, %d", id, r, s, a, run, stage, attempt)
		}
	})
}
