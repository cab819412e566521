package runstate

import (
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// The table is the one in the package documentation.
func TestAttempts_AreNumberedAcrossARetryAndAReopening(t *testing.T) {
	b := spec.Builder{Name: "p"}
	b.Add("a", nil, spec.Kind{Task: "noop", Policy: spec.Policy{Retries: 1, Backoff: spec.Backoff{Initial: time.Second, Factor: 1}}})
	w := watch(t, &b)
	of := func(kind journal.Type, attempt dag.Attempt) journal.Record {
		return journal.Record{Type: kind, Attempt: attempt, Duration: time.Second}
	}

	for _, row := range []struct {
		after              string
		records            []journal.Record
		due, first, newest dag.Attempt
	}{
		{"run submitted", []journal.Record{{Type: journal.RunSubmitted}}, 1, 1, 0},
		{"attempt 1 started", []journal.Record{of(journal.StageStarted, 1)}, 1, 1, 1},
		{"attempt 1 failed", []journal.Record{of(journal.StageFailed, 1)}, 2, 1, 1},
		{"attempt 2 succeeded", []journal.Record{of(journal.StageStarted, 2), of(journal.StageSucceeded, 2), {Type: journal.RunFinished}}, 2, 1, 2},
		{"run reopened", []journal.Record{{Type: journal.RunReopened}}, 3, 3, 2},
		{"attempt 3 started", []journal.Record{of(journal.StageStarted, 3)}, 3, 3, 3},
	} {
		w.after(0, row.records...)
		if due, first, newest := w.DAG.Attempt(0), w.FirstAttempt(0), w.NewestAttempt(0); due != row.due || first != row.first || newest != row.newest {
			t.Errorf("%s: due %d, first %d, newest %d; want %d, %d, %d", row.after, due, first, newest, row.due, row.first, row.newest)
		}
	}
}

// apply needs no state machine: what it is told of a retry is enough.
func TestAttempts_CountTheWaitForARetryUpToItsEnd(t *testing.T) {
	start := time.Unix(1e9, 0)
	failed := journal.Record{Type: journal.StageFailed, Attempt: 1, Duration: time.Second, Text: "no such file", Note: "last line"}
	for name, test := range map[string]struct {
		next time.Duration // time of the next record after the failure
		want time.Duration // total duration before the next attempt ends
	}{
		"started later than due": {10 * time.Second, 6 * time.Second},
		"started when due":       {5 * time.Second, 6 * time.Second},
		"ended early":            {2 * time.Second, 3 * time.Second},
		"clock set back":         {-time.Minute, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(1)
			a.apply(journal.Entry{Worker: "w", Time: start}, failed, 1, start.Add(5*time.Second))
			if r := a.Retrying[0]; r.Attempt != 2 || r.Text != "no such file" || a.Retried != 1 || len(a.Failures) != 0 {
				t.Errorf("retry %+v, %d retried, failures %+v", r, a.Retried, a.Failures)
			}

			a.apply(journal.Entry{Worker: "w", Time: start.Add(test.next)}, journal.Record{Type: journal.StageStarted, Attempt: 2}, 2, time.Time{})
			if got := a.times.total(0); got != test.want || len(a.Retrying) != 0 {
				t.Errorf("total %s, want %s; retrying %v", got, test.want, a.Retrying)
			}
			if _, noted := a.Notes[0]; noted {
				t.Error("the note of attempt 1 is shown for attempt 2")
			}
		})
	}
}
