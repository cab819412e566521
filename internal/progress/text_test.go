package progress

import (
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
)

func TestControlCharactersAreEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"as it is":                  "as it is",
		"\x1b[31mred\x07":           `\x1b[31mred\a`,
		"a\tb\r\nc":                 `a  b\r\nc`,
		"not \xff UTF-8 but \uFFFD": `not \xff UTF-8 but ` + "\uFFFD",
		"turn\u202Earound\u200B":    `turn\u202earound\u200b`,
		"日本語 👩\u200D🚀 ❤\uFE0F":      "日本語 👩\u200D🚀 ❤\uFE0F",
		"C1 \u009b2J":               `C1 \u009b2J`,
	} {
		if got := clean(text); got != want {
			t.Errorf("clean(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNoTextCanTouchTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, r := range clean(rapid.String().Draw(t, "text")) {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%q is left", r)
			}
		}
	})
}

func fan(t *testing.T) *spec.Spec {
	t.Helper()
	b := spec.Builder{Name: "demo"}
	b.Add("list", nil, spec.Kind{})
	b.Add("each", []string{"list"}, spec.Kind{Policy: spec.Policy{ForEach: "list"}})
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// The column of names is as wide as the names of instances are once they are known: their end is
// what tells them apart.
func TestNamesOfInstancesHaveRoom(t *testing.T) {
	s := newStory(t, fan(t), func(*runstate.Run, journal.Entry) {})
	s.submit()
	if got := nameWidth(s.run, 32); got != len("each[99]") {
		t.Errorf("before the list is known: %d", got)
	}
	s.end("w1", journal.StageSucceeded, "list", time.Second, journal.Record{Count: 100_000})
	if got := nameWidth(s.run, 32); got != len("each[99999]") {
		t.Errorf("with 100,000 elements: %d", got)
	}
}

// There was room for each[99]: what is to the right of the names stays where it is when the
// instances are fewer.
func TestColumnsStayWhereTheyAre(t *testing.T) {
	lines, screen := &plain{}, newTTY(false, func() (int, int) { return 80, 24 })
	s := newStory(t, fan(t), func(run *runstate.Run, e journal.Entry) {
		lines.observe(nil, run, e, e.Time)
		screen.observe(nil, run, e, e.Time)
	})
	s.submit()
	s.end("w1", journal.StageSucceeded, "list", time.Second, journal.Record{Count: 3})
	if want := len("each[99]"); lines.names != want || screen.names != want {
		t.Errorf("names have %d and %d columns, want %d", lines.names, screen.names, want)
	}
}

func TestDurations(t *testing.T) {
	const ms = time.Millisecond
	for d, want := range map[time.Duration][4]string{
		0:                        {"<1ms", "0.0s", "0s", "00:00:00.0"},
		14 * ms:                  {"14ms", "0.0s", "0s", "00:00:00.0"},
		9994 * ms:                {"9.99s", "9.9s", "9s", "00:00:09.9"},
		9996 * ms:                {"10.0s", "9.9s", "9s", "00:00:09.9"},
		59940 * ms:               {"59.9s", "59s", "59s", "00:00:59.9"},
		59960 * ms:               {"59s", "59s", "59s", "00:00:59.9"},
		72 * time.Second:         {"1m12s", "1m12s", "1m12s", "00:01:12.0"},
		3599 * time.Second:       {"59m59s", "59m59s", "59m59s", "00:59:59.0"},
		3725 * time.Second:       {"1h02m", "1h02m", "1h02m", "01:02:05.0"},
		100 * 3600 * time.Second: {"100h00m", "100h00m", "100h00m", "100:00:00.0"},
	} {
		if got := [4]string{formatTook(d), formatRunning(d), formatRough(d), stopwatch(d)}; got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0 stages", 1: "1 stage", 999: "999 stages", 4312: "4,312 stages", 1234567: "1,234,567 stages"} {
		if got := plural(n, "stage"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestShorten_KeepsTheValuesOfACell(t *testing.T) {
	for _, test := range []struct {
		name string
		most int
		want string
	}{
		{"total[region=north,product=tea]", 40, "total[region=north,product=tea]"},
		{"total[region=north,product=tea]", 26, "total[north,tea]"},
		{"total[region=north,product=tea]", 12, "total[…,tea]"},
		{"work[123]", 6, "wor…3]"},
		{"a-long-name-of-a-stage", 10, "a-lon…tage"},
	} {
		if got := shorten(test.name, test.most); got != test.want {
			t.Errorf("%s in %d columns: got %q, want %q", test.name, test.most, got, test.want)
		}
	}
}
