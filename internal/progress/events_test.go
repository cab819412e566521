package progress

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

func TestEventsAsJSON(t *testing.T) {
	var out []byte
	var events []api.Event
	at := time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.FixedZone("", 3600))
	story := newStory(t, diamond(t), func(run *runstate.Run, e journal.Entry) {
		events = run.Events(e, events[:0])
		for _, event := range events {
			out = event.Append(out)
		}
	})
	story.now = func() time.Time { at = at.Add(1500 * time.Millisecond); return at }
	tellAll(story)
	golden(t, "events.json", out)
	for line := range bytes.Lines(out) {
		if !json.Valid(line) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// tellAll is a run in which everything happens that can happen.
func tellAll(s *story) {
	s.t.Helper()
	s.submit()
	s.start("w1", "ingest")
	s.end("", journal.StageLost, "ingest", 0, journal.Record{Text: "its worker was not heard of for 3s (w1)"})
	s.start("w2", "ingest")
	s.succeed("w2", "ingest", 12340*time.Microsecond, "178 rows <b>&\t\x1b")
	s.start("w2", "left", "right")
	s.entry("w2",
		journal.Record{Type: journal.StageFailed, Stage: s.id("left"), Attempt: 1, Duration: 2 * time.Second, Note: "bye", Text: "exit status 3\nno such file"},
		journal.Record{Type: journal.StageSkipped, Stage: s.id("merge"), Cause: s.id("left")})
	s.entry("", journal.Record{Type: journal.RunCancelling, Text: "interrupt"})
	s.end("w2", journal.StageCancelled, "right", 3*time.Second, journal.Record{Text: "it did not stop within 10s"})
	s.finish()
}
