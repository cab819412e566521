package progress

import (
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/godags/godags/internal/term"
)

// terminal returns a writer that is a terminal.
func terminal(t *testing.T) io.Writer {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil || !term.IsTerminal(f) {
		if os.Getenv("GODAGS_TEST_STRICT") == "1" {
			t.Fatalf("no pseudo-terminal: %v", err)
		}
		t.Skipf("needs a pseudo-terminal, which %s does not give here (%v): run it on Linux with /dev/pts mounted", runtime.GOOS, err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestAutoMode(t *testing.T) {
	tty := terminal(t)
	for _, c := range []struct {
		mode Mode
		out  io.Writer
		term string
		want Mode
	}{
		{Auto, tty, "xterm-256color", TTY},
		{"", tty, "", TTY},
		{Auto, tty, "dumb", Plain},
		{Auto, io.Discard, "xterm", Plain},
		{TTY, io.Discard, "dumb", TTY},
		{JSON, tty, "xterm", JSON},
		{Quiet, tty, "xterm", Quiet},
	} {
		if got := c.mode.resolve(c.out, env(map[string]string{"TERM": c.term})); got != c.want {
			t.Errorf("mode %q, terminal %v, TERM=%s: got %s, want %s", c.mode, c.out == tty, c.term, got, c.want)
		}
	}
}

func TestWhatDecidesAboutColor(t *testing.T) {
	tty := terminal(t)
	for _, c := range []struct {
		color Color
		out   io.Writer
		env   map[string]string
		want  bool
	}{
		{ColorAlways, io.Discard, map[string]string{"NO_COLOR": "1", "TERM": "dumb"}, true},
		{ColorNever, tty, map[string]string{"CLICOLOR_FORCE": "1"}, false},
		{ColorAuto, tty, map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, false},
		{ColorAuto, tty, map[string]string{"NO_COLOR": ""}, true},
		{ColorAuto, io.Discard, map[string]string{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, true},
		{ColorAuto, io.Discard, map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{ColorAuto, tty, map[string]string{"TERM": "dumb"}, false},
		{ColorAuto, tty, nil, true},
		{ColorAuto, io.Discard, nil, false},
		{"", tty, nil, true},
	} {
		if got := c.color.Enabled(c.out, env(c.env)); got != c.want {
			t.Errorf("--color %q, terminal %v, %v: colour is %v", c.color, c.out == tty, c.env, got)
		}
	}
}

func TestUnknownModeSuggestsTheNearest(t *testing.T) {
	for _, mode := range Modes {
		if got, err := ParseMode(string(mode)); got != mode || err != nil {
			t.Errorf("ParseMode(%q) = %q, %v", mode, got, err)
		}
	}
	_, err := ParseMode("jsno")
	want := `unknown progress mode "jsno", did you mean "json"? (there are auto, tty, plain, json, quiet)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err = ParseColor("purple"); err == nil || strings.Contains(err.Error(), "mean") {
		t.Errorf("nothing is near: %v", err)
	}
	if c, err := ParseColor("never"); c != ColorNever || err != nil {
		t.Errorf("got %q, %v", c, err)
	}
}
