package runstate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// lined is a run with its timeline.
type lined struct {
	*watched
	line *Timeline
}

func (l *lined) after(d time.Duration, records ...journal.Record) {
	l.Helper()
	l.watched.after(d, records...)
	l.line.Observe(l.Run, journal.Entry{Time: l.Last, Records: records, Worker: "w"})
}

// expect compares the spans, in seconds, so long after the last entry.
func (l *lined) expect(later time.Duration, want ...string) {
	l.Helper()
	var got []string
	for _, s := range l.line.Spans(l.Run, l.Last.Add(later)) {
		text := fmt.Sprintf("%s.%d %s %g-%g", l.Name(s.Stage), s.Attempt, s.State, s.From.Seconds(), s.To.Seconds())
		if s.Lost {
			text += " lost"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		l.Errorf("spans are\n%q, want\n%q", got, want)
	}
}

func newLined(t *testing.T) *lined {
	b := spec.Builder{Name: "p"}
	b.Add("a", nil, spec.Kind{Task: "noop", Policy: spec.Policy{Retries: 1, Backoff: spec.Backoff{Initial: 4 * time.Second, Factor: 1}}})
	b.Add("b", []string{"a"}, spec.Kind{Task: "noop"})
	return &lined{watch(t, &b), NewTimeline()}
}

func TestTimeline_HasWaitsAndAttempts(t *testing.T) {
	const a, b = 0, 1
	l := newLined(t)
	second := func(r journal.Record) journal.Record { r.Attempt = 2; return r }
	l.after(0, journal.Record{Type: journal.RunSubmitted})
	l.expect(time.Second, "a.1 ready 0-1")

	l.after(2*time.Second, started(a))
	l.expect(time.Second, "a.1 ready 0-2", "a.1 running 2-3")

	l.after(3*time.Second, ended(journal.StageFailed, a, 3*time.Second))
	l.expect(time.Second, "a.1 ready 0-2", "a.1 failed 2-5", "a.2 retrying 5-6")

	l.after(4*time.Second, second(started(a)))
	l.after(time.Second, second(ended(journal.StageSucceeded, a, time.Second)))
	l.after(time.Second, started(b))
	l.after(time.Second, ended(journal.StageLost, b, 0))
	l.after(2*time.Second, second(started(b)))
	l.after(3*time.Second, second(ended(journal.StageSucceeded, b, time.Second)))

	// The worker reported attempt 2 of b, which took a second, 3 s after it had claimed it.
	l.expect(time.Hour, "a.1 ready 0-2", "a.1 failed 2-5", "a.2 retrying 5-9", "a.2 succeeded 9-10",
		"b.1 ready 10-11", "b.1 failed 11-12 lost", "b.2 retrying 12-16", "b.2 succeeded 16-17")
}

// A run that is retried a day later waits from then on, not from the day before.
func TestTimeline_WaitsAnewAfterAReopening(t *testing.T) {
	const a, b = 0, 1
	l := newLined(t)
	l.after(0, journal.Record{Type: journal.RunSubmitted}, started(a))
	l.after(time.Second, ended(journal.StageSucceeded, a, time.Second))
	l.after(time.Second, started(b))
	l.after(time.Second, ended(journal.StageFailed, b, time.Second), journal.Record{Type: journal.RunFinished})
	l.after(97*time.Second, journal.Record{Type: journal.RunReopened, Stage: dag.NoStage})
	l.expect(time.Second, "a.1 succeeded 0-1", "b.1 ready 1-2", "b.1 failed 2-3", "b.2 ready 100-101")
}

func TestTimeline_BeginsAgainWithTheJournal(t *testing.T) {
	l := newLined(t)
	l.after(0, journal.Record{Type: journal.RunSubmitted}, started(0))
	*l.Run = *New("run", l.Spec)
	l.after(time.Second, journal.Record{Type: journal.RunSubmitted}, started(0))
	l.expect(time.Second, "a.1 running 0-1")
}
