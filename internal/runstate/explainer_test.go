package runstate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// waitingRun has a stage of each kind of waiting: ready and gpu are ready, retrying failed once,
// map has three instances, of which one runs and one at a time may, last waits for all.
func waitingRun(t *testing.T) *Run {
	t.Helper()
	b := spec.Builder{Name: "p"}
	b.Add("list", nil, spec.Kind{Task: "noop"})
	b.Add("ready", nil, spec.Kind{Task: "noop"})
	b.Add("gpu", nil, spec.Kind{Task: "train", Queue: "gpu"})
	b.Add("retrying", nil, spec.Kind{Task: "noop", Policy: spec.Policy{Retries: 1, Backoff: spec.Backoff{Initial: time.Minute, Factor: 1}}})
	b.Add("map", []string{"list"}, spec.Kind{Task: "noop", Policy: spec.Policy{ForEach: "list", MaxParallel: 1}})
	b.Add("last", []string{"ready", "gpu", "retrying", "map", "list"}, spec.Kind{Task: "noop"})
	w := watch(t, &b)
	list := ended(journal.StageSucceeded, 0, time.Second)
	list.Count = 3
	failed := ended(journal.StageFailed, 3, time.Second)
	failed.Text = "exit status 75\nmore"
	w.after(0, journal.Record{Type: journal.RunSubmitted}, list, failed)
	w.after(0, started(6)) // map[0]
	return w.Run
}

func TestExplainer_NamesTheReasonToActOnFirst(t *testing.T) {
	worker := func(change func(*fleet.Worker)) fleet.Worker {
		w := fleet.Worker{ID: "w1", Queues: []string{"default", "gpu"}, Slots: 2, Key: "k"}
		if change != nil {
			change(&w)
		}
		return w
	}
	idle := worker(nil)
	for name, test := range map[string]struct {
		stage string
		fleet Snapshot
		want  api.Reason
	}{
		"dependencies": {"last", Snapshot{}, api.Reason{Code: "dependencies", Text: "waits for ready, gpu, retrying and 1 more"}},
		"instances":    {"map", Snapshot{}, api.Reason{Code: "dependencies", Text: "waits for 3 of its 3 instances"}},
		"retry":        {"retrying", Snapshot{Now: time.Unix(1e9, 0).Add(18 * time.Second)}, api.Reason{Code: "retry", Text: "attempt 2 is due in 42s: exit status 75"}},
		"queued run":   {"ready", Snapshot{ListedState: api.Queued}, api.Reason{Code: "run_queued", Text: "no coordinator has taken the run yet"}},
		"stalled run":  {"last", Snapshot{ListedState: api.Stalled}, api.Reason{Code: "run_stalled", Text: "the coordinator of the run has stopped: the next one resumes the run"}},
		"cancelling":   {"ready", Snapshot{ListedState: api.Cancelling}, api.Reason{Code: "cancelling", Text: "the run is being cancelled"}},
		"no worker":    {"gpu", Snapshot{}, api.Reason{Code: "no_worker", Text: "no live worker listens on queue gpu"}},
		"silent worker": {"ready", Snapshot{Workers: []fleet.Worker{worker(func(w *fleet.Worker) { w.Age = time.Minute })}},
			api.Reason{Code: "no_worker", Text: "no live worker listens on queue default"}},
		"old worker": {"ready", Snapshot{Workers: []fleet.Worker{worker(func(w *fleet.Worker) { w.Format = 1 << 20 })}},
			api.Reason{Code: "no_worker", Text: "the live workers on queue default are of a version that cannot read the pipeline"}},
		"unhealthy worker": {"ready", Snapshot{Workers: []fleet.Worker{worker(func(w *fleet.Worker) { w.Unhealthy = "no TMPDIR" })}},
			api.Reason{Code: "no_worker", Text: "no live worker on queue default can execute stages: w1: no TMPDIR"}},
		"another key": {"ready", Snapshot{Workers: []fleet.Worker{worker(func(w *fleet.Worker) { w.Key = "other" })}},
			api.Reason{Code: "key_mismatch", Text: "the live workers on queue default have another key than the run"}},
		"paused": {"ready", Snapshot{Workers: []fleet.Worker{idle}, Paused: map[string]string{"default": "KEY"}},
			api.Reason{Code: "queue_paused", Text: "queue default is paused: resume it in asynqmon, or delete the key KEY in Redis"}},
		"max parallel":   {"map[1]", Snapshot{Workers: []fleet.Worker{idle}}, api.Reason{Code: "max_parallel", Text: "max_parallel allows 1 at a time, and as many run"}},
		"about to start": {"ready", Snapshot{Workers: []fleet.Worker{idle}}, api.Reason{Code: "queued", Text: "is about to start on queue default"}},
		"busy": {"ready", Snapshot{Workers: []fleet.Worker{worker(func(w *fleet.Worker) { w.Busy = 2 })}},
			api.Reason{Code: "queued", Text: "queue default has no free slot (2 of 2 busy); ready stages: 3"}},
		"taken": {"ready", Snapshot{Workers: []fleet.Worker{worker(func(w *fleet.Worker) { w.Delivered = []string{"run ready 1"} })}},
			api.Reason{Code: "batch", Text: "worker w1 has taken it, and starts it when a slot is free"}},
	} {
		t.Run(name, func(t *testing.T) {
			run := waitingRun(t)
			test.fleet.Key = "k"
			if test.fleet.ListedState == "" {
				test.fleet.ListedState = api.Running
			}
			test.fleet.TaskID = func(run, stage string, attempt int) string { return fmt.Sprint(run, " ", stage, " ", attempt) }
			s, ok := run.DAG.Lookup(test.stage)
			if !ok {
				t.Fatalf("there is no stage %s", test.stage)
			}
			if got, ok := run.Explain(test.fleet).Reason(s); !ok || got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestExplainer_ListsWhatWaitsAndGroupsItByReason(t *testing.T) {
	run := waitingRun(t)
	e := run.Explain(Snapshot{ListedState: api.Running, Key: "k", Workers: []fleet.Worker{{ID: "w1", Queues: []string{"default"}, Slots: 2, Key: "k"}}})
	var waiting []string
	for _, w := range e.Waiting() {
		waiting = append(waiting, w.Stage+" "+w.State)
	}
	if want := []string{"ready ready", "gpu ready", "retrying retrying", "map waiting", "last waiting", "map[1] ready", "map[2] ready"}; !slices.Equal(waiting, want) {
		t.Errorf("waiting are %q, want %q", waiting, want)
	}
	groups := []string{
		"1 stage waits: no live worker listens on queue gpu",
		"1 stage waits: is about to start on queue default",
		"2 stages wait: max_parallel allows 1 at a time, and as many run",
	}
	var got []string
	for i, g := range e.Groups() {
		got = append(got, g.String())
		if g.Blocked != (i == 0) || g.Blocked && (g.Queue != "gpu" || run.Name(g.First[0]) != "gpu") {
			t.Errorf("group %d is %+v", i, g)
		}
	}
	if !slices.Equal(got, groups) {
		t.Errorf("groups are %q, want %q", got, groups)
	}
	if _, ok := e.Reason(dag.StageID(0)); ok {
		t.Error("a finished stage has a reason for not running")
	}
}
