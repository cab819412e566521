package dag

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestGraph(t *testing.T) {
	g := build(t, "report: train eval", "ingest:", "train: ingest", "eval: train ingest", "notes:")
	const report, ingest, train, eval, notes = 0, 1, 2, 3, 4
	if g.Len() != 5 || g.Edges() != 5 || g.Name(eval) != "eval" {
		t.Errorf("%d stages, %d edges, stage 3 is %q", g.Len(), g.Edges(), g.Name(eval))
	}
	for _, c := range []struct {
		what      string
		got, want []StageID
	}{
		{"dependencies of report", g.Deps(report), []StageID{train, eval}},
		{"dependencies of eval", g.Deps(eval), []StageID{train, ingest}},
		{"dependencies of notes", g.Deps(notes), nil},
		{"dependents of ingest", g.Dependents(ingest), []StageID{train, eval}},
		{"dependents of train", g.Dependents(train), []StageID{report, eval}},
		{"dependents of report", g.Dependents(report), nil},
		{"topological order", g.Topological(), []StageID{ingest, notes, train, eval, report}},
		{"sinks", slices.Collect(g.Leaves()), []StageID{report, notes}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	for range g.Leaves() {
		break // must not be called again
	}
	if got, want := fmt.Sprint(g.Levels()), "[[1 4] [2] [3] [0]]"; got != want || g.Level(report) != 3 {
		t.Errorf("levels %s, want %s; report has level %d", got, want, g.Level(report))
	}
	if got, want := g.Remaining(), []uint32{1, 4, 3, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("remaining %v, want %v", got, want)
	}
}

func TestGraphWithoutStages(t *testing.T) {
	g := build(t)
	path, sum := g.CriticalPath(func(StageID) int64 { return 1 })
	_, found := g.Lookup("")
	if g.Len() != 0 || g.Edges() != 0 || len(g.Topological()) != 0 || g.Levels() != nil || len(g.Remaining()) != 0 ||
		len(path) != 0 || sum != 0 || found || len(slices.Collect(g.Leaves())) != 0 {
		t.Errorf("%+v has something in it", g)
	}
}

func TestLookup(t *testing.T) {
	g := build(t, "b:", "a:", "ab:", "é:", "B:", "aa:")
	for s := range StageID(g.Len()) {
		if got, ok := g.Lookup(g.Name(s)); !ok || got != s {
			t.Errorf("Lookup(%q) = %d, %v; want %d", g.Name(s), got, ok, s)
		}
	}
	for _, name := range []string{"", "c", "A", "abc", "\xff"} {
		if got, ok := g.Lookup(name); ok {
			t.Errorf("Lookup(%q) = %d", name, got)
		}
	}
}

// What a caller appends to a view must not run into its neighbour.
func TestViewsHaveNoRoomToAppend(t *testing.T) {
	g := build(t, "a:", "b: a", "c: b")
	_ = append(g.Deps(1), 99)
	_ = append(g.Dependents(0), 99)
	if got := g.Deps(2)[0]; got != 1 {
		t.Errorf("c depends on %d", got)
	}
	if got := g.Dependents(1)[0]; got != 2 {
		t.Errorf("%d depends on b", got)
	}
}

// TestGraphAgainstBruteForce compares everything that is derived from the edges with what following
// all paths gives.
func TestGraphAgainstBruteForce(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := drawGraph(t)
		checkOrder(t, g)
		checkEdges(t, g)
		before, after := make(map[StageID]int), make(map[StageID]int)
		groups := make([][]StageID, 0)
		remaining := g.Remaining()
		for s := range StageID(g.Len()) {
			level := longest(s, g.Deps, before) - 1
			if g.Level(s) != level || int(remaining[s]) != longest(s, g.Dependents, after) {
				t.Fatalf("stage %d has level %d and %d remaining, want %d and %d", s, g.Level(s), remaining[s], level, longest(s, g.Dependents, after))
			}
			for len(groups) <= level {
				groups = append(groups, nil)
			}
			groups[level] = append(groups[level], s)
		}
		if got := g.Levels(); fmt.Sprint(got) != fmt.Sprint(groups) {
			t.Fatalf("levels %v, want %v", got, groups)
		}
	})
}

func checkOrder(t rapid.TB, g *Graph) {
	t.Helper()
	place := make(map[StageID]int)
	for i, s := range g.Topological() {
		place[s] = i + 1
		for _, d := range g.Deps(s) {
			if place[d] == 0 {
				t.Fatalf("stage %d comes before stage %d, on which it depends: %v", s, d, g.Topological())
			}
		}
	}
	if len(place) != g.Len() || len(g.Topological()) != g.Len() {
		t.Fatalf("%d stages in order: %v, want %d", len(place), g.Topological(), g.Len())
	}
}

func checkEdges(t rapid.TB, g *Graph) {
	t.Helper()
	edges := 0
	for s := range StageID(g.Len()) {
		edges += len(g.Deps(s))
		for _, d := range g.Deps(s) {
			if !slices.Contains(g.Dependents(d), s) {
				t.Fatalf("stage %d depends on %d, whose dependents are %v", s, d, g.Dependents(d))
			}
		}
		if !slices.IsSorted(g.Dependents(s)) {
			t.Fatalf("dependents of %d: %v", s, g.Dependents(s))
		}
		edges -= len(g.Dependents(s))
	}
	if edges != 0 {
		t.Fatalf("the two directions differ by %d edges", edges)
	}
}

// longest is the number of stages on the longest path from s.
func longest(s StageID, next func(StageID) []StageID, known map[StageID]int) int {
	if known[s] == 0 {
		most := 0
		for _, n := range next(s) {
			most = max(most, longest(n, next, known))
		}
		known[s] = most + 1
	}
	return known[s]
}

func TestCriticalPath(t *testing.T) {
	g := build(t, "ingest:", "fast: ingest", "slow: ingest", "report: fast slow", "notes:")
	weights := map[string]int64{"ingest": 5, "fast": 1, "slow": 20, "report": 2, "notes": 26}
	path, sum := g.CriticalPath(func(s StageID) int64 { return weights[g.Name(s)] })
	if got := namesOf(g, path); got != "ingest slow report" || sum != 27 {
		t.Errorf("critical path %s, %d", got, sum)
	}
}

// A path ends at a sink, also if its last stages weigh nothing.
func TestCriticalPathOfNothing(t *testing.T) {
	g := build(t, "a:", "b: a", "c: b")
	for _, c := range []struct{ a, b, c int64 }{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}} {
		path, sum := g.CriticalPath(func(s StageID) int64 { return []int64{c.a, c.b, c.c}[s] })
		if got := namesOf(g, path); got != "a b c" || sum != c.a+c.b+c.c {
			t.Errorf("%+v: critical path %s, %d", c, got, sum)
		}
	}
}

func namesOf(g *Graph, path []StageID) string {
	var names []string
	for _, s := range path {
		names = append(names, g.Name(s))
	}
	return strings.Join(names, " ")
}

func TestCriticalPathAgainstBruteForce(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := drawGraph(t)
		weights := rapid.SliceOfN(rapid.Int64Range(0, 9), g.Len(), g.Len()).Draw(t, "weights")
		path, sum := g.CriticalPath(func(s StageID) int64 { return weights[s] })
		var want, got int64
		known := make(map[StageID]int64)
		for s := range StageID(g.Len()) {
			want = max(want, heaviest(g, s, weights, known))
		}
		for i, s := range path {
			got += weights[s]
			if i > 0 && !slices.Contains(g.Deps(s), path[i-1]) {
				t.Fatalf("path %v: %d does not depend on %d", path, s, path[i-1])
			}
		}
		if got != want || sum != want {
			t.Fatalf("path %v weighs %d, and is said to weigh %d, want %d", path, got, sum, want)
		}
		if len(path) > 0 && (len(g.Deps(path[0])) > 0 || len(g.Dependents(path[len(path)-1])) > 0) {
			t.Fatalf("path %v does not lead from a root to a sink", path)
		}
	})
}

// heaviest is the weight of the heaviest path from s.
func heaviest(g *Graph, s StageID, weights []int64, known map[StageID]int64) int64 {
	if _, ok := known[s]; !ok {
		var most int64
		for _, d := range g.Dependents(s) {
			most = max(most, heaviest(g, d, weights, known))
		}
		known[s] = most + weights[s]
	}
	return known[s]
}
