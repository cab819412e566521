package cli

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/godags/godags/internal/term"
)

func TestTheLocaleOfPOSIXIsTakenAtItsWord(t *testing.T) {
	for _, c := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", false},
		{"", "", "C", true},
		{"", "POSIX", "de_DE.UTF-8", true},
		{"C", "", "en_US.UTF-8", true},
		{"C.UTF-8", "C", "C", false},
		{"", "en_US.UTF-8", "C", false},
		{"", "", "de_DE.ISO-8859-1", false},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_CTYPE": c.ctype, "LANG": c.lang}
		if got := wantsASCII(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%v: %v", env, got)
		}
	}
}

// wire is a terminal that remembers what it was sent.
type wire struct{ bytes.Buffer }

func (*wire) Fd() uintptr { return 7 }

// A character may come in two pieces, and names are the user's: they stay.
func TestMarksAreASCIIWhereverTheTextIsCut(t *testing.T) {
	const text, want = "✓ größe · 3ms …\n├─▼╮ 日本 ━━─ ⠹", "+ größe - 3ms ~\n+-v+ 日本 ==- -"
	rapid.Check(t, func(t *rapid.T) {
		w := &wire{}
		out := &terminal{File: w, ascii: true}
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "bytes")
			if got, err := out.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatal(got, err)
			}
			rest = rest[n:]
		}
		if got := w.String(); got != want {
			t.Fatalf("got %q", got)
		}
	})
	if term.Width(text) != term.Width(want) {
		t.Errorf("%d columns became %d", term.Width(text), term.Width(want))
	}
}

func TestWhatIsNoTerminalIsLeftAsItIs(t *testing.T) {
	var out strings.Builder
	if got := wrapTerminal(&out, func(string) string { return "C" }); got != &out {
		t.Errorf("got %T", got)
	}
}

// A command of ours may come in pieces too. Those of others are shown, not obeyed.
func TestATerminalGetsNoCommandsButOurs(t *testing.T) {
	const text = "\x1b[1;31mred\x1b[0m\x1b[K\x1b[?25l\x1b[2A\tè\r\n\x1b[2J\x1b]0;title\a\u009b2J\u202e\x7f\b\xffé\x1b[?1049h\x1bc."
	const want = "\x1b[1;31mred\x1b[0m\x1b[K\x1b[?25l\x1b[2A\tè\r\n" + `\x1b[2J\x1b]0;title\a\u009b2J\u202e\x7f\b\xffé\x1b[?1049h\x1bc.`
	rapid.Check(t, func(t *rapid.T) {
		w := &wire{}
		out := &terminal{File: w}
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "bytes")
			if got, err := out.Write([]byte(rest[:n])); got != n || err != nil {
				t.Fatal(got, err)
			}
			rest = rest[n:]
		}
		if got := w.String(); got != want {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}
