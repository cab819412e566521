package runs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/logtext"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
)

// fakeLogs has what attempts have printed so far.
type fakeLogs struct {
	text map[AttemptID]string
	err  error
}

func (f *fakeLogs) LogsSince(_ context.Context, _ ID, positions []LogPosition) ([]logtext.Text, error) {
	texts := make([]logtext.Text, len(positions))
	for i, p := range positions {
		text := f.text[p.AttemptID]
		texts[i] = logtext.Text{From: p.Offset, Head: []byte(text)[min(int(p.Offset), len(text)):]}
	}
	return texts, f.err
}

// tailWorld is a run of two stages, a tail of it, and its logs.
type tailWorld struct {
	*testing.T
	run     *runstate.Run
	tail    *LogTail
	logs    *fakeLogs
	entries int
}

func newTailWorld(t *testing.T) *tailWorld {
	t.Helper()
	var b spec.Builder
	b.Name = "demo"
	b.Add("a", nil, spec.Kind{})
	b.Add("b", nil, spec.Kind{})
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	w := &tailWorld{T: t, run: runstate.New("r", sp), tail: new(Service).TailLogs(), logs: &fakeLogs{text: make(map[AttemptID]string)}}
	w.tail.logs = w.logs
	return w
}

func (w *tailWorld) observe(records ...journal.Record) (ended bool) {
	w.entries++
	return w.tail.Observe(w.run, Entry{ID: journal.Position(fmt.Sprintf("%d-0", w.entries)), Records: records})
}

// read checks what is read: "name#attempt: lines", with "." behind it if the attempt has ended.
func (w *tailWorld) read(want ...string) {
	w.Helper()
	var got []string
	err := w.tail.Read(w.Context(), func(o Output) error {
		text := fmt.Sprintf("%s#%d:", o.Name, o.Attempt)
		for _, line := range o.Lines {
			text += " " + string(line)
		}
		if o.Ended {
			text += "."
		}
		got = append(got, text)
		return nil
	})
	if err != nil && w.logs.err == nil {
		w.Error(err)
	}
	if !slices.Equal(got, want) {
		w.Errorf("got %q, want %q", got, want)
	}
}

func started(s, attempt int) journal.Record { return recordOf(journal.StageStarted, s, attempt) }

func recordOf(kind journal.Type, s, attempt int) journal.Record {
	a := attemptOf(s, attempt)
	return journal.Record{Type: kind, Stage: a.Stage, Attempt: a.Attempt}
}

func attemptOf(s, attempt int) AttemptID {
	return AttemptID{Stage: dag.StageID(s), Attempt: dag.Attempt(attempt)}
}

func TestLogTail_ReadsEachLineOnce(t *testing.T) {
	w := newTailWorld(t)
	if w.observe(started(1, 1), started(0, 1)) {
		t.Error("an attempt that starts has ended")
	}
	w.read()
	w.logs.text[attemptOf(0, 1)] = "one\ntw"
	w.logs.text[attemptOf(1, 1)] = "x\n"
	w.read("a#1: one", "b#1: x")
	w.read()

	// The first attempt ends, and the second starts at once: the end of the first is not missed.
	w.logs.text[attemptOf(0, 1)] = "one\ntwo"
	w.logs.text[attemptOf(0, 2)] = "again\n"
	if !w.observe(recordOf(journal.StageFailed, 0, 1), started(0, 2)) {
		t.Error("no attempt has ended")
	}
	w.read("a#1: two.", "a#2: again")
	w.observe(recordOf(journal.StageSucceeded, 0, 2), recordOf(journal.StageLost, 1, 1))
	w.read("a#2:.", "b#1:.")
	w.read()
}

func TestLogTail_ReadsAgainWhatRedisDidNotAnswer(t *testing.T) {
	w := newTailWorld(t)
	w.observe(started(0, 1), recordOf(journal.StageSucceeded, 0, 1))
	w.logs.text[attemptOf(0, 1)] = "one\n"
	w.logs.err = errors.New("connection refused")
	w.read()
	w.logs.err = nil
	w.read("a#1: one.")
}

func TestLogTail_LeavesOutWhatIsNotWanted(t *testing.T) {
	w := newTailWorld(t)
	w.tail.Past = "1-0"
	w.tail.OnceEnded = true
	w.tail.Only = func(run *runstate.Run, s dag.StageID) bool { return strings.HasPrefix(run.Name(s), "a") }
	w.observe(started(0, 1), started(1, 1), recordOf(journal.StageFailed, 0, 1), started(0, 2))
	for _, a := range []AttemptID{attemptOf(0, 1), attemptOf(0, 2), attemptOf(1, 1)} {
		w.logs.text[a] = "line\n"
	}
	w.read() // the first attempt is past, the second has not ended, and b is not wanted
	w.observe(recordOf(journal.StageSucceeded, 0, 2), recordOf(journal.StageSucceeded, 1, 1))
	w.read("a#2: line.")
}
