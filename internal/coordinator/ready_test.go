package coordinator

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

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
	r, paths := new(readyQueue), sp.Graph.Remaining()
	for _, s := range slices.Backward(heads) {
		r.add(s, 0, paths[s])
	}
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
			r, paths := new(readyQueue), sp.Graph.Remaining()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				for _, s := range heads {
					r.add(s, 0, paths[s])
				}
				for r.Len() > 0 {
					r.pop()
				}
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/stage")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N*n), "allocs/stage")
		})
	}
}
