package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/term"
)

// nasty is what a stage, or whoever writes to Redis, may send to a terminal.
const nasty = "x\x00\a\b\x1b[2J\x1b]0;t\a\x7f\u0085\u009b2J\u061c\u200e\u200f\u2028\u2029\u202e\u2066\u2069\ufeff\U000e0041\xff\xe6\x97y"

// Text is made harmless where it is known what it is, with columns that fit, and JSON is escaped
// for whoever shows it later: both wherever they are sent.
func TestNoCommandPrintsControlCharacters(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.beat(fleet.Worker{ID: "w" + nasty, Host: nasty, Version: nasty, Key: nasty, Queues: []string{"default", nasty}, Slots: 1})
	f.execution("demo-1", journal.Record{Type: journal.StageSucceeded, Stage: first, Attempt: 1, Note: nasty}, nasty+"\n")
	f.execution("demo-1", journal.Record{Type: journal.StageFailed, Stage: second, Attempt: 1, Text: nasty, Note: nasty}, nasty+"\n"+nasty)
	f.decide("demo-1", journal.EndUnexecuted, journal.Record{Type: journal.StageSkipped, Stage: last, Cause: second})
	f.start("demo-1", third, 1)
	_, err := f.journal.RequestCancel(t.Context(), "demo-1", nasty)
	f.check(err)
	file := filepath.Join(t.TempDir(), "bad.yaml")
	f.check(os.WriteFile(file, []byte("name: \"\\x9b\"\nstages: [{name: a, \u202ewhat: 1}]\n"), 0o666))

	for _, args := range [][]string{
		{"events", "demo-1"}, {"status", "demo-1"}, {"status", "demo-1", "--stages"}, {"status", "demo-1", "--output", "json"},
		{"runs"}, {"runs", "--output", "json"}, {"runs", "prune", "--dry-run"}, {"workers"}, {"workers", "--output", "json"},
		{"doctor"}, {"doctor", "--output", "json"}, {"cancel", "demo-1"},
		{"graph", "demo-1"}, {"graph", "demo-1", "--format", "json"}, {"graph", "demo-1", "--format", "dot"}, {"graph", "demo-1", "--format", "mermaid"},
		{"logs", "demo-1", nasty}, {"logs", nasty}, {"status", nasty}, {"graph", nasty}, {"run", nasty}, {"run", nasty + ".yaml"},
		{"run", "simple", "--run-id", nasty}, {"run", "simple", "--param", nasty}, {"run", "simple", "--values", nasty}, {"run", "simple", "--keep", nasty},
		{"run", "simple", "--progress", nasty}, {"run", "simple", "--color", nasty}, {"runs", "--state", nasty}, {"runs", "--older-than", nasty},
		{"retry", "demo-1", "--stage", nasty}, {nasty}, {"--" + nasty}, {"run", "--" + nasty}, {"runs", nasty}, {"completion", nasty},
		{"worker", "--queue", nasty}, {"worker", nasty}, {"serve", "--metrics-addr", nasty}, {"graph", "demo-1", "--out", nasty},
	} {
		o := f.execute(args...)
		if found, ok := hidden(o.stdout + o.stderr); ok {
			t.Errorf("%q prints %q:\n%q", args, found, o.stdout+o.stderr)
		}
	}
	for _, args := range [][]string{{"validate", file}, {"validate", file, "--output", "json"}, {"validate", nasty}, {"run", file}, {"init", nasty + "/\x00"}, {"__complete", "status", ""}} {
		o := execute(t, args...)
		if found, ok := hidden(o.stdout + o.stderr); ok {
			t.Errorf("%q prints %q:\n%q", args, found, o.stdout+o.stderr)
		}
	}

	var event struct{ Type, Error string }
	for line := range strings.Lines(f.execute("events", "demo-1").stdout) {
		if f.check(json.Unmarshal([]byte(line), &event)); event.Type == "stage.failed" {
			break
		}
	}
	if want := strings.ToValidUTF8(nasty[:len(nasty)-4], "") + "\uFFFD\uFFFD\uFFFDy"; event.Error != want {
		t.Errorf("the error is\n%q, want\n%q", event.Error, want)
	}
}

// A terminal gets the output of stages as a person would see it; a pipe gets the bytes as they are.
func TestLogsAreHarmlessOnATerminal(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	const log = "\x1b[31mred\x1b[0m\u202e\n10%\r20%\r\x1b[K\n|\b/\b-\b\tdone\xff\n"
	f.succeed("demo-1", first, log, "done")
	if o := f.execute("logs", "demo-1", "first"); o.stdout != log {
		t.Errorf("a pipe gets %q, want %q", o.stdout, log)
	}
	want := "red\\u202e\n20%\n\tdone\uFFFD\n"
	var got []string
	for line := range strings.Lines(log) {
		got = append(got, seen(strings.TrimSuffix(line, "\n"))+"\n")
	}
	if strings.Join(got, "") != want {
		t.Errorf("a terminal gets %q, want %q", got, want)
	}
}

// hidden returns the first character that must not reach a terminal.
func hidden(text string) (string, bool) {
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if r != '\n' && r != '\t' && term.Hidden(r, size) {
			return text[:size], true
		}
		text = text[size:]
	}
	return "", false
}
