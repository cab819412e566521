package coordinator

import (
	"slices"
	"testing"
	"time"

	"github.com/godags/godags/dag"
)

// flightOf returns an empty inFlight of a pipeline whose stages are ready, and a time.
func flightOf(t *testing.T, graph string) (*inFlight, time.Time) {
	t.Helper()
	sp := pipeline(t, graph)
	state := dag.NewRun(sp.Graph, sp.Rules())
	state.Pending(nil)
	return newInFlight(&stages{sp, state}), time.Unix(1e9, 0)
}

func TestInFlight_ABatchEndsWithItsLastAttempt(t *testing.T) {
	f, now := flightOf(t, "a; b")
	b := &batch{id: "task", queue: "default", stages: []dag.StageID{0, 1}}
	f.track(0, b)
	f.track(1, b)
	if f.batches["default"] != 1 || !f.has(0) || !f.has(1) {
		t.Fatalf("%d batches, want one with both stages", f.batches["default"])
	}

	f.claim(0, 1, "w1", now)
	if got := f.unclaimed(b); !slices.Equal(got, []dag.StageID{1}) {
		t.Errorf("unclaimed: %v, want stage 1", got)
	}
	f.complete(0, now)
	if f.batches["default"] != 1 {
		t.Error("the batch has ended before its second attempt")
	}
	f.complete(1, now)
	if f.batches["default"] != 0 || len(f.unwanted) != 0 {
		t.Errorf("%d batches, unwanted: %v; want none", f.batches["default"], f.unwanted)
	}
	if f.complete(1, now) != nil {
		t.Error("an attempt has ended twice")
	}
}

func TestInFlight_TheTaskOfAnUnclaimedBatchIsUnwanted(t *testing.T) {
	f, now := flightOf(t, "a")
	f.track(0, &batch{id: "task", queue: "default", stages: []dag.StageID{0}})
	f.complete(0, now)
	if f.unwanted["task"] != "default" {
		t.Errorf("unwanted: %v, want the task", f.unwanted)
	}
}

func TestInFlight_AClaimOfAnUnknownBatchIsABatchOfItsOwn(t *testing.T) {
	f, now := flightOf(t, "a@gpu")
	f.claim(0, 1, "w1", now)
	if !f.has(0) || f.batches["gpu"] != 1 {
		t.Error("the attempt is not in flight")
	}
	f.complete(0, now)
	if len(f.unwanted) != 0 {
		t.Errorf("unwanted: %v, although the task is unknown", f.unwanted)
	}
}

func TestInFlight_OnlyInactiveBatchesAreOverdue(t *testing.T) {
	f, now := flightOf(t, "a; b; c")
	batches := make([]*batch, 3)
	for i := range batches {
		batches[i] = &batch{id: "task", queue: "default", stages: []dag.StageID{dag.StageID(i)}, active: now}
		f.track(dag.StageID(i), batches[i])
	}
	f.claim(0, 1, "w1", now)
	batches[1].active = now.Add(time.Second)
	if got := f.overdue(now.Add(unclaimedAfter)); !slices.Equal(got, batches[2:]) {
		t.Errorf("overdue: %v, want the third batch", got)
	}
}

// A worker may just have taken a task, and not said so yet.
func TestBatch_IsMissingWhenItWasFoundNowhereTwice(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := &batch{active: now}
	if b.isMissing(now.Add(time.Second)) {
		t.Error("missing at the first look")
	}
	if !b.isMissing(now.Add(time.Second + missingFor)) {
		t.Error("not missing at the second look")
	}
	b.active = now.Add(2 * time.Second)
	if b.isMissing(now.Add(3 * time.Second)) {
		t.Error("missing at the first look after it was active")
	}
}

func TestLosses_PauseAfterTheFirstOnesAndPoisonAfterCrashes(t *testing.T) {
	l := newLosses()
	for i, want := range []time.Duration{0, 0, 1, 2, 4, 8, 16, 32, 60, 60} {
		if got := l.lost(7); got != want*time.Second {
			t.Errorf("loss %d: a pause of %s, want %s", i+1, got, want*time.Second)
		}
	}
	for i := range maxCrashes {
		if got, want := l.poison(7), i == maxCrashes-1; got != want {
			t.Errorf("after %d crashes: poison %v, want %v", i, got, want)
		}
		l.crashed(7)
	}
	l.reset()
	if l.poison(7) || l.lost(7) != 0 {
		t.Error("a reopened run remembers losses")
	}
}
