package coordinator

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// chains returns a pipeline of chains of the given lengths, and the first stage of each.
func chains(t testing.TB, lengths []int) (sp *spec.Spec, heads []dag.StageID) {
	t.Helper()
	b := &spec.Builder{Name: "chains"}
	for c, length := range lengths {
		var before []string
		for i := range length {
			name := fmt.Sprintf("c%d-%d", c, i)
			id := b.Add(name, before, spec.Kind{Task: "noop"})
			if i == 0 {
				heads = append(heads, id)
			}
			before = []string{name}
		}
	}
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return sp, heads
}

func TestTheLongestWayComesFirstAndOfEqualsTheOlder(t *testing.T) {
	sp, heads := chains(t, []int{2, 5, 1, 5, 3, 2})
	q := newReadyQueues(sp)
	for _, s := range slices.Backward(heads) {
		q.push(s, s)
	}
	r := q.byName[spec.DefaultQueue]
	var order []dag.StageID
	for r.Len() > 0 {
		order = append(order, r.pop())
	}
	want := []dag.StageID{heads[1], heads[3], heads[4], heads[0], heads[5], heads[2]}
	if !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

// BenchmarkReady pushes and pops each of many stages.
func BenchmarkReady(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			lengths := make([]int, n)
			for i := range lengths {
				lengths[i] = 1 + i*7919%5
			}
			sp, heads := chains(b, lengths)
			q := newReadyQueues(sp)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				for _, s := range heads {
					q.push(s, s)
				}
				for r := q.byName[spec.DefaultQueue]; r.Len() > 0; {
					r.pop()
				}
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/stage")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N*n), "allocs/stage")
		})
	}
}

// The first in the queue was cancelled, and the other has to travel alone: it must not wait for
// company that does not come.
func TestAStageThatIsNotReadyAnyMoreKeepsNoOtherWaiting(t *testing.T) {
	sp := pipeline(t, "a; b")
	d := &Driver{spec: sp, state: dag.NewRun(sp.Graph, sp.Rules()), durations: spec.NewDurations(sp), ready: newReadyQueues(sp), workers: newWorkers(),
		flights: make(map[dag.StageID]*flight), inFlight: map[string]int{spec.DefaultQueue: 1}, largest: 16}
	d.workers.slots = map[string]int{spec.DefaultQueue: 1}
	d.durations.Learn(0, time.Microsecond)
	d.ready.push(0, 0)
	d.ready.push(1, 1)
	for _, e := range []dag.Event{{Type: dag.StageCancelled, Stage: 0}, {Type: dag.StageLost, Stage: 1, Attempt: 1}} {
		if _, err := d.state.Apply(e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if d.tooFew(spec.DefaultQueue, d.ready.byName[spec.DefaultQueue]) {
		t.Error("it waits")
	}
}
