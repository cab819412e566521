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
	if events := runToEnd(t, NewRun(g)); len(events) != 2*g.Len()+1 {
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
	r := NewRun(g)
	commands, err := r.Apply(Event{Type: StageFailed, Stage: 0, Attempt: 1}, nil)
	if err != nil || len(commands) != n-1 {
		t.Fatalf("%d commands, %v; want %d", len(commands), err, n-1)
	}
	var last []Command
	for _, c := range commands {
		if last, err = r.Apply(Event{Type: StageSkipped, Stage: c.Stage, Root: c.Root}, last); err != nil {
			t.Fatal(err)
		}
	}
	if r.Count(Skipped) != n-1 || r.Root(n-1) != 0 || !slices.Equal(last, []Command{{Type: Finish}}) {
		t.Errorf("%d stages are skipped, the last because of %d, and then %+v", r.Count(Skipped), r.Root(n-1), last)
	}
}
