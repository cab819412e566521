package progress

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/cells"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/view"
)

func TestEventsAsJSON(t *testing.T) {
	var out []byte
	var enc *Encoder
	at := time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.FixedZone("", 3600))
	story := newStory(t, diamond(t), func(run *view.Run, e journal.Entry) {
		if enc == nil {
			enc = NewEncoder(run)
		}
		out = enc.Append(out, e)
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
		journal.Record{Type: journal.StageSkipped, Stage: s.id("merge"), Root: s.id("left")})
	s.entry("", journal.Record{Type: journal.RunCancelling, Text: "interrupt"})
	s.end("w2", journal.StageCancelled, "right", 3*time.Second, journal.Record{Text: "it did not stop within 10s"})
	s.finish()
}

func TestTextsThatAreNotWhatTheyShouldBe(t *testing.T) {
	enc := NewEncoder(view.New("demo-1", diamond(t)))
	at := time.Unix(0, 0)
	got := enc.Append(nil, journal.Entry{Time: at, Records: []journal.Record{{Type: journal.RunSubmitted, Text: `{"pipe`}, {Type: journal.RunFinished}}})
	want := `{"seq":1,"time":"1970-01-01T00:00:00.000Z","type":"run.submitted","run":"demo-1","text":"{\"pipe"}
{"seq":2,"time":"1970-01-01T00:00:00.000Z","type":"run.finished"}
`
	expect(t, "damaged texts", string(got), want)
}

// object is a line of the encoder as encoding/json would write it.
type object struct {
	Seq     int     `json:"seq"`
	Time    string  `json:"time"`
	Type    string  `json:"type"`
	Stage   string  `json:"stage,omitempty"`
	Attempt uint16  `json:"attempt,omitempty"`
	Worker  string  `json:"worker,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Note    string  `json:"note,omitempty"`
	Error   string  `json:"error,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	Cause   string  `json:"cause,omitempty"`
}

func TestSameAsEncodingJSON(t *testing.T) {
	sp := diamond(t)
	text := rapid.OneOf(rapid.String(), rapid.Just("\x00\"\\/\b\f\n\r\t\x7f\u2028\u2029<>&\xff\xe6\x97"), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		r := journal.Record{
			Type:     rapid.SampledFrom([]journal.Type{journal.StageStarted, journal.StageSucceeded, journal.StageFailed, journal.StageLost, journal.StageSkipped, journal.StageCancelled}).Draw(t, "type"),
			Stage:    dag.StageID(rapid.IntRange(0, 3).Draw(t, "stage")),
			Attempt:  dag.Attempt(rapid.Uint16().Draw(t, "attempt")),
			Duration: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "µs")) * time.Microsecond,
			Note:     text.Draw(t, "note"),
			Text:     text.Draw(t, "text"),
		}
		e := journal.Entry{Time: time.UnixMilli(rapid.Int64Range(0, 1e13).Draw(t, "ms")), Worker: text.Draw(t, "worker"), Records: []journal.Record{r}}
		o := object{Seq: 1, Time: e.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"), Type: r.Type.String(), Stage: sp.Graph.Name(r.Stage),
			Attempt: uint16(r.Attempt), Worker: e.Worker, Seconds: r.Duration.Seconds(), Note: r.Note}
		switch r.Type {
		case journal.StageFailed:
			o.Error = r.Text
		case journal.StageSkipped:
			o.Cause = sp.Graph.Name(r.Root)
		default:
			o.Reason = r.Text
		}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(o); err != nil {
			t.Fatal(err)
		}
		escaped := cells.EscapeJSON(want.Bytes())
		if got := NewEncoder(view.New("demo-1", sp)).Append(nil, e); !bytes.Equal(got, escaped) {
			t.Fatalf("got:\n%swant:\n%s", got, escaped)
		}
	})
}
