package dag

import (
	"fmt"
	"runtime"
	"testing"
)

// sizes of benchmarks: layers of stages with three dependencies each.
var sizes = []struct{ layers, width int }{{100, 1000}, {1000, 1000}}

func eachSize(b *testing.B, bench func(b *testing.B, layers, width int)) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size.layers*size.width), func(b *testing.B) { bench(b, size.layers, size.width) })
	}
}

// perStage runs f for b.Loop, and reports time and allocations for each stage.
func perStage(b *testing.B, stages int, f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		f()
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*stages), "ns/stage")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N*stages), "allocs/stage")
}

// retained is how much memory is in use because of what f returns.
func retained(f func() any) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return after.HeapAlloc - before.HeapAlloc
}

// BenchmarkBuild includes what a graph of a million stages and three million edges keeps in memory,
// without the bytes of the names, which it shares with the caller.
func BenchmarkBuild(b *testing.B) {
	eachSize(b, func(b *testing.B, layers, width int) {
		builder := layeredBuilder(layers, width, 3)
		build := func() *Graph {
			g, err := builder.Build()
			if err != nil {
				b.Fatal(err)
			}
			return g
		}
		kept := retained(func() any { return build() })
		perStage(b, layers*width, func() { build() })
		b.ReportMetric(float64(kept)/1e6, "MB/graph")
	})
}

func BenchmarkFromDeps(b *testing.B) {
	eachSize(b, func(b *testing.B, layers, width int) {
		g := layered(b, layers, width, 3)
		perStage(b, g.Len(), func() {
			if _, err := FromDeps(g.names, g.deps.off, g.deps.ids); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// BenchmarkRun applies two events for each stage of a run in which all goes well.
func BenchmarkRun(b *testing.B) {
	eachSize(b, func(b *testing.B, layers, width int) {
		g := layered(b, layers, width, 3)
		events := runToEnd(b, NewRun(g, Rules{}))
		kept := retained(func() any { return NewRun(g, Rules{}) })
		commands := make([]Command, 0, width)
		perStage(b, g.Len(), func() {
			r := NewRun(g, Rules{})
			for i := range events {
				var err error
				if commands, err = r.Apply(events[i], commands[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.ReportMetric(float64(kept)/1e6, "MB/run")
	})
}

// BenchmarkSkip fails the first stages of a run: all others are to be skipped.
func BenchmarkSkip(b *testing.B) {
	eachSize(b, func(b *testing.B, layers, width int) {
		g := layered(b, layers, width, 3)
		commands := make([]Command, 0, g.Len())
		perStage(b, g.Len(), func() {
			r := NewRun(g, Rules{})
			for s := range StageID(width) {
				var err error
				if commands, err = r.Apply(Event{Type: StageFailed, Stage: s, Attempt: 1}, commands[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkPending asks a run that was just cancelled, in which every stage is to be cancelled.
func BenchmarkPending(b *testing.B) {
	eachSize(b, func(b *testing.B, layers, width int) {
		g := layered(b, layers, width, 3)
		r := NewRun(g, Rules{})
		commands, err := r.Apply(Event{Type: RunCancelling}, make([]Command, 0, g.Len()))
		if err != nil || len(commands) != g.Len() {
			b.Fatalf("%d commands, %v", len(commands), err)
		}
		perStage(b, g.Len(), func() { commands = r.Pending(commands[:0]) })
	})
}

// Applying events and asking what is pending takes no memory when the caller's buffer has room.
func TestApplyDoesNotAllocate(t *testing.T) {
	const width = 200
	g := layered(t, 20, width, 3)
	events := runToEnd(t, NewRun(g, Rules{}))
	const rounds = 5 // the average leaves out the odd allocation of the runtime itself
	var runs []*Run
	for range rounds + 1 { // AllocsPerRun calls once more, to warm up
		runs = append(runs, NewRun(g, Rules{}))
	}
	commands := make([]Command, 0, width)
	allocs := testing.AllocsPerRun(rounds, func() {
		r := runs[0]
		runs = runs[1:]
		for _, e := range events {
			var err error
			if commands, err = r.Apply(e, commands[:0]); err != nil {
				t.Error(err)
			}
			commands = r.Pending(commands[:0])
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d events", allocs, len(events))
	}
}

// BenchmarkFanOut makes instances and brings them to their end.
func BenchmarkFanOut(b *testing.B) {
	const n = 1_000_000
	b.ReportMetric(float64(retained(func() any { r, _ := expanded(b, n); return r }))/1e6, "MB/run")
	perStage(b, n, func() {
		r, commands := expanded(b, n)
		var last []Command
		for i := range commands {
			var err error
			if last, err = r.Apply(Event{Type: StageSucceeded, Stage: commands[i].Stage, Attempt: 1}, last[:0]); err != nil {
				b.Fatal(err)
			}
		}
		if len(last) != 1 {
			b.Fatalf("commands %+v", last)
		}
	})
}
