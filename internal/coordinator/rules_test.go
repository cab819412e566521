package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// simulateSpec simulates a pipeline that says more than what comes after what.
func simulateSpec(t *testing.T, build func(b *spec.Builder), test func(w *world)) {
	b := &spec.Builder{Name: "p"}
	build(b)
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	simulated(t, sp, false, test)
}

// flaky is a stage that is tried again after 10 s, then 20 s.
func flaky(b *spec.Builder) {
	b.Add("a", nil, spec.Kind{Task: "noop", Policy: spec.Policy{Retries: 2, Backoff: spec.Backoff{Initial: 10 * time.Second, Factor: 2}}})
}

// sentAt expects that a task is sent after the given time, to 50 ms, and not before.
func (w *world) sentAt(d time.Duration, want string) {
	w.Helper()
	w.keepAlive("w1", d/fleet.HeartbeatInterval*fleet.HeartbeatInterval-fleet.HeartbeatInterval)
	w.sent()
	w.pass(fleet.HeartbeatInterval - 51*time.Millisecond)
	w.sent()
	w.beat("w1", "default")
	w.pass(100 * time.Millisecond)
	w.sent(want)
}

func TestAFailedStageIsTriedAgainAtItsTime(t *testing.T) {
	simulateSpec(t, flaky, func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		w.report("a", 1, journal.StageFailed)
		w.sentAt(10*time.Second, "a#2")
		w.claim("w1", "a", 2)
		w.report("a", 2, journal.StageFailed)
		w.sentAt(20*time.Second, "a#3")
		w.does("a", 3)
		w.ends(nil)
	})
}

// A coordinator that dies during a back-off does not begin it anew, and the stage is not tried
// twice.
func TestABackOffSurvivesItsCoordinator(t *testing.T) {
	simulateSpec(t, flaky, func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		w.report("a", 1, journal.StageFailed)
		w.keepAlive("w1", 2*time.Second)
		w.stop(errors.New("killed"))
		<-w.done
		w.keepAlive("w1", 4*time.Second)
		epoch, err := w.journal.Acquire(w.Context(), w.run, "c2", Lease)
		w.must(err)
		w.drive("c2", epoch)
		w.sent()
		w.sentAt(4*time.Second, "a#2")
		w.does("a", 2)
		w.keepAlive("w1", 30*time.Second)
		w.sent()
		w.ends(nil)
	})
}

// A worker that dies during the back-off of a stage does not hold it.
func TestABackOffSurvivesTheWorker(t *testing.T) {
	simulateSpec(t, flaky, func(w *world) {
		w.sent("a#1")
		w.claim("w2", "a", 1)
		w.report("a", 1, journal.StageFailed)
		w.dead <- "w2"
		w.sentAt(10*time.Second, "a#2")
		w.claim("w2", "a", 2)
		w.pass(time.Millisecond) // the coordinator has read of the claim
		w.dead <- "w2"
		w.sent("a#3")
		w.does("a", 3)
		w.ends(nil)
		if story := w.story(); story != "run.submitted a.started a.failed a.started a.lost a.started a.succeeded run.finished" {
			w.Error(story)
		}
	})
}

func TestARunHasATimeLimit(t *testing.T) {
	simulateSpec(t, func(b *spec.Builder) {
		b.Timeout = 10 * time.Second
		b.Add("a", nil, spec.Kind{Task: "noop"})
		b.Add("clean", []string{"a"}, spec.Kind{Task: "noop", Policy: spec.Policy{Trigger: dag.AllDone}})
	}, func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		w.keepAlive("w1", 9500*time.Millisecond)
		if story := w.story(); story != "run.submitted a.started" {
			w.Fatal(story)
		}
		w.keepAlive("w1", time.Second)
		w.report("a", 1, journal.StageCancelled)
		w.sent("clean#1")
		w.claimCleanUp("clean", 1)
		w.keepAlive("w1", time.Minute) // far beyond the grace
		w.report("clean", 1, journal.StageSucceeded)
		w.ends(nil)
		if story := w.story(); story != "run.submitted a.started run.cancelling a.cancelled clean.started clean.succeeded run.finished" {
			w.Error(story)
		}
	})
}

func (w *world) claimCleanUp(name string, attempt int) {
	w.Helper()
	a, token := w.attempt(name, attempt), journal.NewToken()
	move := journal.ClaimOp(a)
	move.CleanUp = true
	yes, err := w.journal.Step(w.Context(), journal.Claim{Run: w.run, Digest: w.digest, Worker: "w1", Token: token}, []journal.Op{move})
	if w.must(err); !yes[0] {
		w.Fatalf("%s#%d was refused", name, attempt)
	}
	w.tokens[a] = token
}

// Instances go on one after the other if no more may, and the stage itself comes when all are done.
func TestInstancesAreSentAsManyAsMayRun(t *testing.T) {
	simulateSpec(t, func(b *spec.Builder) {
		b.Add("list", nil, spec.Kind{Task: "noop"})
		b.Add("each", []string{"list"}, spec.Kind{Task: "noop", Policy: spec.Policy{ForEach: "list", MaxParallel: 2}})
	}, func(w *world) {
		w.sent("list#1")
		w.claim("w1", "list", 1)
		a := w.attempt("list", 1)
		yes, err := w.journal.Report(w.Context(), journal.Claim{Run: w.run, Worker: "w1", Token: w.tokens[a]}, []journal.Outcome{
			{Record: journal.Record{Type: journal.StageSucceeded, Stage: a.Stage, Attempt: 1, Count: 5}}})
		if w.must(err); !yes[0] {
			w.Fatal("refused")
		}
		instance := func(i int) {
			id, token := journal.AttemptID{Stage: dag.StageID(2 + i), Attempt: 1}, journal.NewToken()
			who := journal.Claim{Run: w.run, Digest: w.digest, Worker: "w1", Token: token}
			_, err := w.journal.Claim(w.Context(), who, []journal.AttemptID{id})
			w.must(err)
			_, err = w.journal.Report(w.Context(), who, []journal.Outcome{{Record: journal.Record{Type: journal.StageSucceeded, Stage: id.Stage, Attempt: 1}}})
			w.must(err)
		}
		w.pass(time.Millisecond)
		entries, err := w.journal.Read(w.Context(), w.run, journal.Start, 0)
		w.must(err)
		for id, b := range w.queue.bundles {
			if i := b.Items[0]; i.List != string(entries[len(entries)-1].ID) || i.Of != 1 {
				w.Errorf("%s is told %+v", id, i)
			}
		}
		w.sent("each[0]#1", "each[1]#1")
		instance(1)
		w.sent("each[2]#1")
		instance(0)
		w.sent("each[3]#1")
		instance(3)
		w.sent("each[4]#1")
		instance(2)
		w.sent()
		instance(4)
		w.pass(time.Millisecond)
		for id, b := range w.queue.bundles {
			if i := b.Items[0]; id != "r:each:1" || i.First != 2 || i.Count != 5 {
				w.Errorf("%s is told %+v", id, i)
			}
		}
		w.sent("each#1")
		w.does("each", 1)
		w.ends(nil)
	})
}

// So do the cells of a matrix. One that skips itself makes room too, and does not keep them from
// coming together.
func TestCellsAreSentAsManyAsMayRun(t *testing.T) {
	simulateSpec(t, func(b *spec.Builder) {
		var cells []string
		for i := range 3 {
			cells = append(cells, fmt.Sprintf("cell %d", i))
			b.Add(cells[i], nil, spec.Kind{Task: "noop", Item: json.RawMessage(`{}`), Index: i, Policy: spec.Policy{MaxParallel: 1}})
		}
		b.Add("cells", cells, spec.Kind{Gather: true})
	}, func(w *world) {
		w.sent("cell 0#1")
		w.claim("w1", "cell 0", 1)
		w.report("cell 0", 1, journal.StageSkipped)
		w.sent("cell 1#1")
		w.does("cell 1", 1)
		w.sent("cell 2#1")
		w.does("cell 2", 1)
		w.sent("cells#1")
		w.does("cells", 1)
		w.ends(nil)
	})
}

// What travelled with a stage that failed is sent again as soon as that stage has succeeded.
func TestWhatCameAfterAFailedStageOfAChainIsNotWaitedFor(t *testing.T) {
	b := &spec.Builder{Name: "p"}
	kind := spec.Kind{Task: "noop", Policy: spec.Policy{Retries: 1, Backoff: spec.Backoff{Initial: 10 * time.Second, Factor: 1}}}
	for i, name := range []string{"a", "b", "c", "d"} {
		b.Add(name, []string{"a", "b", "c"}[max(0, i-1):i], kind)
	}
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	simulated(t, sp, true, func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		if got := w.carries(); got != "b#1 c#1 d#1" {
			w.Fatal(got)
		}
		w.claim("w1", "b", 1)
		w.report("b", 1, journal.StageFailed)
		w.sentAt(10*time.Second, "b#2")
		w.does("b", 2)
		if got := w.carries(); got != "c#1 d#1" {
			w.Fatal(got)
		}
	})
}
