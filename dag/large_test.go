package dag

import (
	"fmt"
	"slices"
	"testing"
)

// A fifth of what the benchmarks build: large enough that anything quadratic is noticed.
func TestLargeGraph(t *testing.T) {
	const layers, width, fan = 200, 1000, 3
	g := layered(t, layers, width, fan)
	if g.Len() != layers*width || g.Edges() != (layers-1)*width*fan || len(g.Levels()) != layers {
		t.Fatalf("%d stages, %d edges, %d levels", g.Len(), g.Edges(), len(g.Levels()))
	}
	if events := runToEnd(t, NewRun(g, Rules{})); len(events) != 2*g.Len()+1 {
		t.Errorf("%d events", len(events))
	}
}

// A chain is as deep as a graph can be: nothing may recurse.
func TestDeepChainFails(t *testing.T) {
	const n = 200_000
	b := new(Builder)
	b.Add("0")
	for i := 1; i < n; i++ {
		b.Add(fmt.Sprint(i), fmt.Sprint(i-1))
	}
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun(g, Rules{})
	commands, err := r.Apply(Event{Type: StageFailed, Stage: 0, Attempt: 1}, nil)
	if err != nil || len(commands) != n-1 {
		t.Fatalf("%d commands, %v; want %d", len(commands), err, n-1)
	}
	var last []Command
	for _, c := range commands {
		if last, err = r.Apply(Event{Type: StageSkipped, Stage: c.Stage, Cause: c.Cause}, last); err != nil {
			t.Fatal(err)
		}
	}
	if r.Count(Skipped) != n-1 || r.Cause(n-1) != 0 || !slices.Equal(last, []Command{{Type: Finish}}) {
		t.Errorf("%d stages are skipped, the last because of %d, and then %+v", r.Count(Skipped), r.Cause(n-1), last)
	}
}

// expanded is a run of a list and its stage with n instances, which are ready.
func expanded(t testing.TB, n int) (*Run, []Command) {
	t.Helper()
	g := build(t, "list:", "each: list")
	r := NewRun(g, Rules{Kinds: []Rule{{}, {Each: new(StageID(0)), Retries: 1}}, KindOf: []uint32{0, 1}})
	commands, err := r.Apply(Event{Type: StageSucceeded, Stage: 0, Attempt: 1, Count: uint32(n)}, nil)
	if err != nil || len(commands) != n {
		t.Fatalf("%d commands, %v; want %d", len(commands), err, n)
	}
	return r, commands
}

// Each instance fails once, is retried, and again by hand.
func TestLargeFanOut(t *testing.T) {
	const n = 200_000
	r, commands := expanded(t, n)
	apply := func(e Event) []Command {
		commands, err := r.Apply(e, nil)
		if err != nil {
			t.Fatal(err)
		}
		return commands
	}
	for _, c := range commands {
		apply(Event{Type: StageFailed, Stage: c.Stage, Attempt: 1})
		apply(Event{Type: StageFailed, Stage: c.Stage, Attempt: 2, Fatal: true})
	}
	apply(Event{Type: StageSkipped, Stage: 1, Cause: 2})
	apply(Event{Type: RunFinished})
	if again := apply(Event{Type: RunReopened, Stage: NoStage}); len(again) != n || r.Name(again[n-1].Stage) != "each[199999]" {
		t.Fatalf("%d instances are tried again", len(again))
	}
	var last []Command
	for _, c := range commands {
		last = apply(Event{Type: StageSucceeded, Stage: c.Stage, Attempt: 3})
	}
	if !slices.Equal(last, []Command{{Type: Dispatch, Stage: 1, Attempt: 1}}) || r.Count(Succeeded) != n+1 {
		t.Errorf("%d stages succeeded, and then %+v", r.Count(Succeeded), last)
	}
}

func TestLookupOfInstances(t *testing.T) {
	r, _ := expanded(t, 12)
	for name, want := range map[string]int{
		"list": 0, "each": 1, "each[0]": 2, "each[11]": 13, "each[12]": -1, "each[-1]": -1, "each[01]": -1, "each[+1]": -1, "each[1": -1,
		"each[]": -1, "list[0]": -1, "each[0][0]": -1, "other[0]": -1, "other": -1, "[0]": -1,
	} {
		if id, ok := r.Lookup(name); ok != (want >= 0) || ok && int(id) != want {
			t.Errorf("%q is %d, %v; want %d", name, id, ok, want)
		}
	}
}

// Views stop anywhere.
func TestStagesInPart(t *testing.T) {
	r, _ := expanded(t, 2)
	for n := range r.Len() {
		seen := 0
		for range r.Stages() {
			if seen++; seen > n {
				break
			}
		}
		if seen != n+1 {
			t.Errorf("saw %d stages, want %d", seen, n+1)
		}
	}
}

// Some attempts are lost besides, and there must be numbers for those too.
func TestAStageHasAllOfItsRetries(t *testing.T) {
	const losses = 5000
	r := NewRun(build(t, "a:"), Rules{Kinds: []Rule{{Retries: MaxRetries}}, KindOf: []uint32{0}})
	for n := range MaxRetries + losses {
		if r.State(0) == Failed {
			t.Fatalf("it has failed for good after %d attempts", n)
		}
		e := Event{Type: StageFailed, Attempt: r.Attempt(0)}
		if n < losses {
			e.Type = StageLost
		}
		if _, err := r.Apply(e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if r.Failures(0) != MaxRetries {
		t.Errorf("%d further attempts, want %d", r.Failures(0), MaxRetries)
	}
}
