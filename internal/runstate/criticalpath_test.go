package runstate

import (
	"slices"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// watched is a run of which a test tells what happens, and when.
type watched struct {
	*testing.T
	*Run
	at time.Duration
}

func watch(t *testing.T, b *spec.Builder) *watched {
	t.Helper()
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return &watched{T: t, Run: New("run", sp)}
}

// after feeds the run with records, so long after the last ones.
func (w *watched) after(d time.Duration, records ...journal.Record) {
	w.Helper()
	w.at += d
	if err := w.Apply(journal.Entry{ID: "1-1", Time: time.Unix(1e9, 0).Add(w.at), Records: records}); err != nil {
		w.Fatal(err)
	}
}

func (w *watched) expectPath(sum time.Duration, want ...string) {
	w.Helper()
	path, took := w.CriticalPath()
	var names []string
	for _, s := range path {
		names = append(names, w.Name(s))
	}
	if !slices.Equal(names, want) || took != sum {
		w.Errorf("critical path %v of %s, want %v of %s", names, took, want, sum)
	}
}

func ended(kind journal.Type, s dag.StageID, took time.Duration) journal.Record {
	return journal.Record{Type: kind, Stage: s, Attempt: 1, Duration: took}
}

func started(s dag.StageID) journal.Record {
	return journal.Record{Type: journal.StageStarted, Stage: s, Attempt: 1}
}

// What cleans up begins when all have ended that it comes after. One of them, join, is skipped
// because bad failed, while slow still runs, on which join depends as well.
func TestCriticalPathIsOneInTime(t *testing.T) {
	const bad, slow, join, clean = 0, 1, 2, 3
	b := spec.Builder{Name: "p"}
	b.Add("bad", nil, spec.Kind{Task: "noop"})
	b.Add("slow", nil, spec.Kind{Task: "noop"})
	b.Add("join", []string{"bad", "slow"}, spec.Kind{Task: "noop"})
	b.Add("clean", []string{"join"}, spec.Kind{Task: "noop", Policy: spec.Policy{Trigger: dag.AllDone}})
	w := watch(t, &b)
	w.after(0, journal.Record{Type: journal.RunSubmitted}, started(bad), started(slow))
	w.after(time.Second, ended(journal.StageFailed, bad, time.Second), journal.Record{Type: journal.StageSkipped, Stage: join, Cause: bad}, started(clean))
	w.after(4*time.Second, ended(journal.StageSucceeded, slow, 5*time.Second))
	w.after(time.Second, ended(journal.StageSucceeded, clean, 5*time.Second))
	w.after(0, journal.Record{Type: journal.RunFinished})
	w.expectPath(6*time.Second, "bad", "clean")
	if w.Elapsed(time.Time{}) != 6*time.Second {
		t.Errorf("the run took %s", w.Elapsed(time.Time{}))
	}
}

// The first attempt fails after 1 s, the next would be due a minute later, and the run is cancelled
// after 2 s of that.
func TestAWaitForAnAttemptCountsAsFarAsItWent(t *testing.T) {
	b := spec.Builder{Name: "p"}
	b.Add("a", nil, spec.Kind{Task: "noop", Policy: spec.Policy{Retries: 1, Backoff: spec.Backoff{Initial: time.Minute, Factor: 1}}})
	w := watch(t, &b)
	w.after(0, journal.Record{Type: journal.RunSubmitted}, started(0))
	w.after(time.Second, ended(journal.StageFailed, 0, time.Second))
	w.after(2*time.Second, journal.Record{Type: journal.RunCancelling}, journal.Record{Type: journal.StageCancelled, Stage: 0})
	w.expectPath(3*time.Second, "a")
}

// Somebody retries a run by hand: b, which had failed, goes well and prints nothing, so that alert
// is not executed this time.
func TestAReopenedStageBeginsAnew(t *testing.T) {
	const first, b, alert = 0, 1, 2
	p := spec.Builder{Name: "p"}
	p.Add("a", nil, spec.Kind{Task: "noop"})
	p.Add("b", []string{"a"}, spec.Kind{Task: "noop"})
	p.Add("alert", []string{"b"}, spec.Kind{Task: "noop", Policy: spec.Policy{Trigger: dag.AnyFailed}})
	w := watch(t, &p)
	failed, alerted := ended(journal.StageFailed, b, time.Second), ended(journal.StageSucceeded, alert, time.Minute)
	failed.Note, alerted.Note = "no such file", "ALERT"
	w.after(0, journal.Record{Type: journal.RunSubmitted}, ended(journal.StageSucceeded, first, time.Second), failed, alerted, journal.Record{Type: journal.RunFinished})
	w.after(0, journal.Record{Type: journal.RunReopened, Stage: dag.NoStage})
	if w.LastDuration(b) != 0 || w.Notes[b] != "" || w.FirstAttempt(b) != 2 || w.TotalDuration(alert) != 0 {
		t.Errorf("of b it is still known: %s, %q, from attempt %d on", w.LastDuration(b), w.Notes[b], w.FirstAttempt(b))
	}
	again := ended(journal.StageSucceeded, b, 2*time.Second)
	again.Attempt = 2
	w.after(0, again, journal.Record{Type: journal.StageSkipped, Stage: alert, Cause: alert}, journal.Record{Type: journal.RunFinished})
	if why := w.WhySkipped(alert); why != "nothing failed that it waits for" || len(w.Run.Notes) > 0 || w.LastDuration(alert) != 0 {
		t.Errorf("alert took %s, and is skipped: %s; notes: %v", w.LastDuration(alert), why, w.Run.Notes)
	}
	w.expectPath(3*time.Second, "a", "b")
}

// The run is cancelled while one waits for its second attempt and one is executed. What their
// attempts printed can still be asked for.
func TestAnAttemptThatWasNeverBegunHidesNoOther(t *testing.T) {
	const paused, busy, never = 0, 1, 2
	b := spec.Builder{Name: "p"}
	b.Add("paused", nil, spec.Kind{Task: "noop", Policy: spec.Policy{Retries: 1, Backoff: spec.Backoff{Initial: time.Hour, Factor: 1}}})
	b.Add("busy", nil, spec.Kind{Task: "noop"})
	b.Add("never", []string{"busy"}, spec.Kind{Task: "noop"})
	w := watch(t, &b)
	failed, stopped := ended(journal.StageFailed, paused, time.Second), ended(journal.StageCancelled, busy, time.Second)
	failed.Note, stopped.Note = "no such file", "half of it"
	w.after(0, journal.Record{Type: journal.RunSubmitted}, started(paused), started(busy), failed, journal.Record{Type: journal.RunCancelling},
		journal.Record{Type: journal.StageCancelled, Stage: paused}, journal.Record{Type: journal.StageCancelled, Stage: never}, stopped,
		journal.Record{Type: journal.RunFinished})
	expect := func(when string, attempts [3]dag.Attempt) {
		t.Helper()
		if got := [3]dag.Attempt{w.NewestAttempt(paused), w.NewestAttempt(busy), w.NewestAttempt(never)}; got != attempts {
			t.Errorf("%s: begun were %v, want %v", when, got, attempts)
		}
	}
	expect("cancelled", [3]dag.Attempt{1, 1, 0})
	if w.Run.Notes[paused] != "no such file" || w.Run.Notes[busy] != "half of it" {
		t.Errorf("notes: %v", w.Run.Notes)
	}
	w.after(0, journal.Record{Type: journal.RunReopened, Stage: dag.NoStage}, journal.Record{Type: journal.RunCancelling},
		journal.Record{Type: journal.StageCancelled, Stage: busy})
	expect("and again", [3]dag.Attempt{1, 1, 0})
}
