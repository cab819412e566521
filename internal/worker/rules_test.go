package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// withRules adds stages with policies.
func withRules(b *spec.Builder) {
	kind := func(p spec.Policy) spec.Kind { return spec.Kind{Task: "task", Policy: p} }
	b.Add("timed", nil, kind(spec.Policy{Timeout: 2 * time.Second, Retries: 1}))
	b.Add("never", nil, kind(spec.Policy{When: "1 > 2"}))
	b.Add("list", nil, spec.Kind{Task: "task"})
	b.Add("long", []string{"list"}, kind(spec.Policy{When: "len(outputs.list) > 2"}))
	b.Add("each", []string{"list"}, kind(spec.Policy{ForEach: "list", When: "item != 20"}))
	b.Add("cell 0", nil, spec.Kind{Task: "task", Item: json.RawMessage(`{"n":20}`), Policy: spec.Policy{When: "item.n > 20"}})
	b.Add("cell 1", nil, spec.Kind{Task: "task", Item: json.RawMessage(`{"n":21}`), Index: 1, Policy: spec.Policy{When: "item.n > 20"}})
	b.Add("cells", []string{"cell 0", "cell 1"}, spec.Kind{Gather: true})
	b.Add("reader", []string{"cells"}, spec.Kind{Task: "task"})
	b.Add("clean", []string{"list"}, kind(spec.Policy{Trigger: dag.AllDone}))
	b.Add("either", []string{"x", "y"}, kind(spec.Policy{Trigger: dag.AnySuccess}))
}

// Its other dependency had succeeded when the batch was sent.
func TestBatch_ExecutesAReadyStageAfterAFailedDependency(t *testing.T) {
	simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
		if s.Name == "x" {
			return errors.New("no")
		}
		return nil
	}, func(w *world) {
		w.sendBatch("t", 1, "x", "either")
		w.tells("x started, x failed, either started, either succeeded")
	})
}

func TestTimeout_StopsAnAttempt(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		begin := time.Now()
		w.send("t", "timed", 1)
		<-w.running
		if took := (<-w.stopped).Sub(begin); took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("it was stopped after %v", took)
		}
		r := w.expect("started failed")
		if r.Text != "timed out after 2s" || r.Fatal {
			t.Errorf("%+v", r)
		}
	})
}

func TestTimeout_FailsAnAttemptThatIgnoresIt(t *testing.T) {
	deaf := func(*world, context.Context, *tasks.Stage) error {
		time.Sleep(3 * time.Second)
		return nil
	}
	simulate(t, deaf, func(w *world) {
		w.send("t", "timed", 1)
		if r := w.expect("started failed"); r.Text != "timed out after 2s" {
			t.Errorf("%+v", r)
		}
	})
}

func TestAttempt_RecordsAFinalFailure(t *testing.T) {
	fatal := func(*world, context.Context, *tasks.Stage) error { return tasks.NoRetry(errors.New("no such table")) }
	simulate(t, fatal, func(w *world) {
		w.send("t", "timed", 1)
		if r := w.expect("started failed"); !r.Fatal || r.Text != "no such table" {
			t.Errorf("%+v", r)
		}
	})
}

func TestCondition_SkipsTheStageIfFalse(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("t", "never", 1)
		id, _ := w.spec.Graph.Lookup("never")
		if r := w.expect("started skipped"); r.Cause != id || r.Attempt != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// listing outputs a list, and for each element its text with a zero behind it.
func listing(_ *world, _ context.Context, s *tasks.Stage) error {
	switch {
	case s.Name == "list":
		s.Values.SetOutput([]byte("json\n[1, 20, 3]"))
	case s.Item != nil:
		s.Values.SetOutput(fmt.Appendf(nil, "raw\n%s0 of %s %d\n", s.Item, s.Name, s.Index))
	}
	return nil
}

func TestList_CountsItsElements(t *testing.T) {
	simulate(t, listing, func(w *world) {
		w.send("t", "list", 1)
		if r := w.expect("started succeeded"); r.Count != 3 {
			t.Errorf("%+v", r)
		}
		w.send("u", "long", 1) // reads the list
		w.expect("started succeeded started succeeded")
	})
}

func TestList_MustBeAnArray(t *testing.T) {
	for output, want := range map[string]string{"": "no output", "json\n{}": "begins with \"{}\"", "raw\n1, 2": "must be a JSON array",
		"raw\n[\"a\nb\"]": "is not valid: invalid character '\\n' in string literal", "gob\n[]": "codec gob"} {
		simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
			if output != "" {
				s.Values.SetOutput([]byte(output))
			}
			return nil
		}, func(w *world) {
			w.send("t", "list", 1)
			if r := w.expect("started failed"); !strings.Contains(r.Text, want) {
				t.Errorf("%q: %s", output, r.Text)
			}
		})
	}
}

// A nil slice of Go is null in JSON.
func TestList_NullIsEmpty(t *testing.T) {
	simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
		s.Values.SetOutput([]byte("json\nnull\n"))
		return nil
	}, func(w *world) {
		w.send("t", "list", 1)
		if r := w.expect("started succeeded"); r.Count != 0 {
			t.Errorf("%d elements", r.Count)
		}
	})
}

// Each instance gets its element, and one skips itself. The mapped stage collects their outputs.
func TestGather_CollectsInstances(t *testing.T) {
	simulate(t, listing, func(w *world) {
		w.send("t", "list", 1)
		w.expect("started succeeded")
		each, _ := w.spec.Graph.Lookup("each")
		first := dag.StageID(w.spec.Graph.Len())
		w.items("u", queue.Item{Stage: first, Attempt: 1, Of: each}, queue.Item{Stage: first + 1, Attempt: 1, Of: each, Index: 1},
			queue.Item{Stage: first + 2, Attempt: 1, Of: each, Index: 2})
		w.expectInAnyOrder("skipped", "started", "started", "started", "started", "succeeded", "succeeded", "succeeded")
		w.items("v", queue.Item{Stage: each, Attempt: 1, First: first, Count: 3, Deps: succeeded(1, 0, 1)})
		time.Sleep(time.Second)
		recorded := w.outputs(each)
		var got []*string
		if text, ok := strings.CutPrefix(recorded[0], "vjson\n"); !ok || json.Unmarshal([]byte(text), &got) != nil || len(got) != 3 ||
			*got[0] != "10 of each[0] 0" || got[1] != nil || *got[2] != "30 of each[2] 2" {
			t.Errorf("gathered %s", recorded[0])
		}
	})
}

func TestGather_CollectsCells(t *testing.T) {
	simulate(t, listing, func(w *world) {
		w.send("t", "cell 0", 1)
		w.send("u", "cell 1", 1)
		w.expectInAnyOrder("skipped", "started", "started", "succeeded")
		w.items("v", queue.Item{Stage: w.id("cells"), Attempt: 1, Deps: succeeded(0, 1)})
		time.Sleep(time.Second)
		cells, _ := w.spec.Graph.Lookup("cells")
		recorded := w.outputs(cells)
		if recorded[0] != "vjson\n"+`[null,"{\"n\":21}0 of cell 1 1"]` {
			t.Errorf("gathered %s", recorded[0])
		}
	})
}

// A run that was submitted with the ID of a removed one has instances with the same IDs.
func TestList_IsThatOfTheNewestRun(t *testing.T) {
	simulate(t, listing, func(w *world) {
		w.send("t", "list", 1)
		w.expect("started succeeded")
		list, _ := w.spec.Graph.Lookup("list")
		each, _ := w.spec.Graph.Lookup("each")
		first := dag.StageID(w.spec.Graph.Len())
		w.items("u", queue.Item{Stage: first, Attempt: 1, Of: each, List: "1-0"})
		w.expect("started succeeded started succeeded")
		w.mini.HSet("godags:{r}:out", fmt.Sprint(list), string(values.Sign(key, w.origin(), values.Producer{Stage: list, Of: list}, 1, []byte("vjson\n[7]"))))
		w.mini.Del("godags:{r}:fence")
		w.items("v", queue.Item{Stage: first, Attempt: 1, Of: each, List: "2-0"})
		w.expect("started succeeded started succeeded started succeeded")
		recorded := w.outputs(first)
		if recorded[0] != "vraw\n70 of each[0] 0\n" {
			t.Errorf("it had the element %q", recorded[0])
		}
	})
}

func TestGather_CollectsNoInstances(t *testing.T) {
	simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
		s.Values.SetOutput([]byte("json\n[]"))
		return nil
	}, func(w *world) {
		w.send("l", "list", 1)
		w.expect("started succeeded")
		w.send("t", "each", 1)
		w.expect("started succeeded started succeeded")
		each, _ := w.spec.Graph.Lookup("each")
		recorded := w.outputs(each)
		if recorded[0] != "vjson\n[]" {
			t.Errorf("gathered %s", recorded[0])
		}
	})
}

// Items that make no sense for the spec are left out.
func TestTask_LeavesOutImpossibleInstances(t *testing.T) {
	simulate(t, listing, func(w *world) {
		n := dag.StageID(w.spec.Graph.Len())
		x, _ := w.spec.Graph.Lookup("x")
		each, _ := w.spec.Graph.Lookup("each")
		w.items("t", queue.Item{Stage: n, Attempt: 1, Of: x}, queue.Item{Stage: n, Attempt: 1, Of: n}, queue.Item{Stage: n, Attempt: 1, Of: each, Index: 1},
			queue.Item{Stage: n, Attempt: 1, Of: each, Index: -1}, queue.Item{Stage: each, Attempt: 1, First: x, Count: 1}, queue.Item{Stage: x, Attempt: 1, First: n, Count: 1})
		time.Sleep(time.Second)
		w.expect("")
	})
}

func TestCancel_SparesCleanup(t *testing.T) {
	obedient := func(w *world, ctx context.Context, s *tasks.Stage) error {
		w.running <- s
		select {
		case <-w.finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	simulate(t, obedient, func(w *world) {
		w.must(w.cancel())
		w.send("t", "clean", 1)
		<-w.running
		time.Sleep(time.Minute)
		w.finish <- struct{}{}
		time.Sleep(time.Second)
		w.expect("run.cancelling started succeeded")
	})
}

// succeeded encodes which attempts of stages have succeeded, 0 for none.
func succeeded(attempts ...dag.Attempt) queue.SucceededAttempts {
	return queue.EncodeSucceeded(len(attempts), func(i int) dag.Attempt { return attempts[i] })
}

// id returns the stage with a name.
func (w *world) id(name string) dag.StageID {
	w.Helper()
	s, ok := w.spec.Graph.Lookup(name)
	if !ok {
		w.Fatal(name)
	}
	return s
}

// items sends attempts as one task.
func (w *world) items(id string, items ...queue.Item) {
	w.Helper()
	w.must(w.queue.EnqueueAll(w.Context(), "default", queue.Task{ID: id, Label: id,
		Batch: queue.Batch{Run: string(run), Pipeline: "p", Incarnation: incarnation, Digest: w.digest, Items: items}}))
}
