package progress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// told returns the story of a run whose clock goes on by a second with each entry.
func told(t testing.TB, stages ...[]string) *story {
	s := newStory(t, build(t, stages...), func(*runstate.Run, journal.Entry) {})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.now = func() time.Time { at = at.Add(time.Second); return at }
	return s
}

func summaryOf(t testing.TB, s *story, cfg SummaryConfig) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Summary(&out, s.run, cfg); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSummaryOfSuccess(t *testing.T) {
	s := told(t, []string{"ingest"}, []string{"split", "ingest"}, []string{"tree_1", "split"}, []string{"tree_2", "split"},
		[]string{"accuracy", "tree_1", "tree_2"}, []string{"plot", "tree_1"}, []string{"clean", "tree_2"})
	s.submit()
	s.succeed("w1", "ingest", 9*time.Second, "")
	s.succeed("w1", "split", time.Second, "")
	s.succeed("w1", "tree_1", 81*time.Second, "")
	s.end("", journal.StageLost, "tree_2", 0, journal.Record{Text: "its worker died (w1)"})
	s.succeed("w1", "tree_2", 80*time.Second, "")
	s.succeed("w1", "accuracy", 20*time.Millisecond, "printed, but the output counts")
	s.succeed("w1", "plot", 10*time.Millisecond, "wrote plot.svg")
	s.succeed("w1", "clean", 0, "")
	s.finish()
	golden(t, "summary-success.txt", summaryOf(t, s, SummaryConfig{
		Outputs: map[string]json.RawMessage{"accuracy": json.RawMessage("{\n\"test\": 0.97,\n\"note\": \"\u202e\"}"), "plot": json.RawMessage(`"a  *\nb  ***\n"`)},
		Next:    []Hint{{"see its logs", "coordinator logs demo-1"}},
	}))
}

func TestSummaryOfFailure(t *testing.T) {
	s := told(t, []string{"a"}, []string{"b"}, []string{"c", "a"}, []string{"d", "a"}, []string{"e", "c"}, []string{"f", "e"}, []string{"g", "f"},
		[]string{"h", "b"}, []string{"i"}, []string{"j"})
	s.submit()
	s.end("", journal.StageLost, "a", 0, journal.Record{Text: "its worker died (w1)"})
	s.end("w2", journal.StageFailed, "a", 72*time.Second, journal.Record{Text: "exit status 3: \x1b[2J\n  in line 4"})
	s.end("w1", journal.StageFailed, "b", 20*time.Millisecond, journal.Record{Text: "no such file"})
	s.end("", journal.StageFailed, "i", 0, journal.Record{Text: "poison: 3 workers died while they executed it; the last was w7"})
	s.end("w1", journal.StageFailed, "j", 0, journal.Record{Text: "the end"})
	for stage, root := range map[string]string{"c": "a", "d": "a", "e": "a", "f": "a", "g": "a", "h": "b"} {
		s.entry("", journal.Record{Type: journal.StageSkipped, Stage: s.id(stage), Cause: s.id(root)})
	}
	s.finish()
	logs := func(a journal.AttemptID) ([]byte, error) {
		switch s.run.Spec.Graph.Name(a.Stage) + fmt.Sprint(a.Attempt) {
		case "a2":
			return []byte("line 1\nline 2\n" + strings.Repeat("more\r\n", 8) + strings.Repeat("x", 300) + "\nlast\x07\n\n"), nil
		case "b1":
			return []byte(" 10 %\r\x1b[32mone\x1b[0m line\r"), nil
		case "j1":
			return nil, errors.New("redis is away")
		}
		return nil, nil
	}
	cfg := SummaryConfig{Log: logs, Next: []Hint{{"resume it", "coordinator resume demo-1"}, {"see all logs", "coordinator logs demo-1"}}}
	golden(t, "summary-failure.txt", summaryOf(t, s, cfg))
	cfg.Color = true
	golden(t, "summary-failure-color.txt", summaryOf(t, s, cfg))
}

func TestSummaryOfCancellation(t *testing.T) {
	s := told(t, []string{"a"}, []string{"b", "a"}, []string{"c", "b"})
	s.submit()
	s.start("w1", "a")
	s.entry("", journal.Record{Type: journal.RunCancelling, Text: "interrupt"})
	s.entry("", journal.Record{Type: journal.StageCancelled, Stage: s.id("b")})
	s.entry("", journal.Record{Type: journal.StageSkipped, Stage: s.id("c"), Cause: s.id("b")})
	before := summaryOf(t, s, SummaryConfig{})
	expect(t, "before its end", string(before), `
skipped
  c  because b was cancelled

! demo has not finished after 4.00s: 1 running · 1 skipped · 1 cancelled
`)
	s.end("w1", journal.StageCancelled, "a", time.Second, journal.Record{})
	s.finish()
	expect(t, "at its end", string(summaryOf(t, s, SummaryConfig{})), `
skipped
  c  because b was cancelled

⊘ demo was cancelled after 6.00s: 1 skipped · 2 cancelled
`)
}

func TestSummaryStaysShort(t *testing.T) {
	var stages [][]string
	for i := range 100 {
		root := fmt.Sprintf("root_%d", i)
		stages = append(stages, []string{root}, []string{"ok_" + root})
		for k := range 100 {
			stages = append(stages, []string{fmt.Sprintf("s_%d_%d", i, k), root})
		}
	}
	s := told(t, stages...)
	s.submit()
	for i := range 100 {
		root := fmt.Sprintf("root_%d", i)
		s.end("w1", journal.StageFailed, root, time.Second, journal.Record{Text: "exit status 1"})
		s.succeed("w1", "ok_"+root, time.Second, "fine")
		for k := range 100 {
			s.entry("", journal.Record{Type: journal.StageSkipped, Stage: s.id(fmt.Sprintf("s_%d_%d", i, k)), Cause: s.id(root)})
		}
	}
	s.finish()
	golden(t, "summary-many.txt", summaryOf(t, s, SummaryConfig{}))
}

func TestSummarySaysThatItCannotBeWritten(t *testing.T) {
	broken := errors.New("broken pipe")
	err := Summary(writerFunc(func([]byte) (int, error) { return 0, broken }), told(t, []string{"a"}).run, SummaryConfig{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestStagesThatAreCancelledByTheRunsTimeLimitSaySo(t *testing.T) {
	var shown, events []string
	s := newStory(t, build(t, []string{"a"}, []string{"b"}, []string{"c"}), func(run *runstate.Run, e journal.Entry) {
		for _, r := range e.Records {
			if r.Type == journal.StageCancelled {
				shown = append(shown, remark(run, e, r))
				events = append(events, run.Events(e, nil)[0].Reason)
			}
		}
	})
	s.submit()
	s.start("w1", "a", "b")
	s.entry("", journal.Record{Type: journal.RunCancelling, Text: "timed out after 1m0s", Duration: time.Minute})
	s.entry("", journal.Record{Type: journal.StageCancelled, Stage: s.id("c")})
	s.end("w1", journal.StageCancelled, "a", time.Second, journal.Record{Text: "the run is being cancelled"})
	s.end("", journal.StageCancelled, "b", 0, journal.Record{Text: "it did not stop within 10s"})
	want := []string{"the run timed out after 1m0s", "the run timed out after 1m0s", "it did not stop within 10s"}
	if !slices.Equal(shown, want) {
		t.Errorf("shown: %q", shown)
	}
	if !slices.Equal(events, want) {
		t.Errorf("events: %q", events)
	}
}
