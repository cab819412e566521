package runstate

import (
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// fan is a run of three stages, of which the second has two instances, 3 and 4.
func fan(t *testing.T) (r *Run, feed func(...journal.Record)) {
	t.Helper()
	b := spec.Builder{Name: "p"}
	b.Add("list", nil, spec.Kind{Task: "noop"})
	b.Add("work", []string{"list"}, spec.Kind{Task: "noop", Policy: spec.Policy{ForEach: "list"}})
	b.Add("end", []string{"work"}, spec.Kind{Task: "noop"})
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	r = New("run", sp)
	return r, func(records ...journal.Record) {
		t.Helper()
		if err := r.Apply(journal.Entry{ID: "1-1", Worker: "w", Records: records}); err != nil {
			t.Fatal(err)
		}
	}
}

func event(kind journal.Type, s dag.StageID, a dag.Attempt) journal.Record {
	return journal.Record{Type: kind, Stage: s, Attempt: a, Duration: time.Second}
}

func list(a dag.Attempt) journal.Record {
	r := event(journal.StageSucceeded, 0, a)
	r.Count = 2
	return r
}

func TestStageStandsAsItsInstancesDo(t *testing.T) {
	r, feed := fan(t)
	check := func(want dag.State, succeeded int) {
		t.Helper()
		if state, n := r.CombinedState(1); state != want || n != succeeded {
			t.Errorf("%v with %d that succeeded, want %v with %d", state, n, want, succeeded)
		}
	}
	check(dag.Waiting, 0)
	feed(list(1), event(journal.StageStarted, 3, 1))
	check(dag.Running, 0)
	feed(event(journal.StageSucceeded, 3, 1), event(journal.StageFailed, 4, 1))
	check(dag.Failed, 1)
	feed(journal.Record{Type: journal.StageSkipped, Stage: 1, Cause: 4}, journal.Record{Type: journal.StageSkipped, Stage: 2, Cause: 4})
	if why := r.WhySkipped(2); why != "because work[1] failed" {
		t.Error(why)
	}
}

// A stage that is retried by hand gets new instances if what it goes by is executed again: what
// became of the old ones is history.
func TestFailureOfAReplacedInstanceIsForgotten(t *testing.T) {
	r, feed := fan(t)
	skipped := func(root dag.StageID) {
		feed(journal.Record{Type: journal.StageSkipped, Stage: 1, Cause: root}, journal.Record{Type: journal.StageSkipped, Stage: 2, Cause: root},
			journal.Record{Type: journal.RunFinished})
	}
	feed(list(1), event(journal.StageSucceeded, 3, 1), event(journal.StageFailed, 4, 1))
	skipped(4)
	if len(r.Failures) != 1 || r.Finished != r.Last {
		t.Errorf("%+v", r.Failures)
	}
	feed(journal.Record{Type: journal.RunReopened, Stage: 0})
	if len(r.Failures) != 0 {
		t.Errorf("it failed, and the run goes on: %+v", r.Failures)
	}
	feed(list(2), event(journal.StageFailed, 5, 2), event(journal.StageSucceeded, 6, 2))
	skipped(5)
	if len(r.Failures) != 1 || r.Name(r.Failures[0].Stage) != "work[0]" || r.DAG.Total() != 5 {
		t.Errorf("%d stages, %+v", r.DAG.Total(), r.Failures)
	}
	if path, sum := r.CriticalPath(); len(path) != 2 || r.Name(path[1]) != "work[1]" || sum != 2*time.Second {
		t.Errorf("critical path %v of %s", path, sum)
	}
}
