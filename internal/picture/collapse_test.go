package picture

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/godags/godags/dag"
)

func names(s *sketch) string {
	var all []string
	for i := range s.nodes {
		all = append(all, fmt.Sprintf("%s:%d", s.nodes[i].name, s.nodes[i].count))
	}
	return strings.Join(all, " ")
}

func TestMoreThan300StagesCollapse(t *testing.T) {
	stages := func(n int) func(*dag.Builder) {
		return func(b *dag.Builder) {
			b.Add("start")
			for i := range n - 1 {
				b.Add(fmt.Sprintf("train[%d]", i), "start")
			}
		}
	}
	if s := newSketch(Input{Graph: build(t, stages(300))}, usual); len(s.nodes) != 300 {
		t.Errorf("300 stages give %d nodes", len(s.nodes))
	}
	s := newSketch(Input{Graph: build(t, stages(301))}, usual)
	if got := names(s); got != "start:1 train[*]:300" {
		t.Errorf("301 stages give %s", got)
	}
	if len(s.edges) != 1 || s.edges[0] != (edge{from: 0, to: 1, count: 300}) {
		t.Errorf("edges are %v", s.edges)
	}
}

func TestGroupsAreOfOneLevelAndStem(t *testing.T) {
	g := build(t, func(b *dag.Builder) {
		for i := range 200 {
			b.Add(fmt.Sprintf("a_%d", i))
			b.Add(fmt.Sprintf("b%d", i), fmt.Sprintf("a_%d", i))
		}
		b.Add("a_200", "b0") // two levels below the other a_
		b.Add("7", "a_200")
		b.Add("x[1][2]", "7")
		b.Add("x[1][3]", "7")
	})
	want := "a_*:200 b*:200 a_200:1 7:1 x[1][*]:2"
	if got := names(newSketch(Input{Graph: g}, usual)); got != want {
		t.Errorf("groups are %s, want %s", got, want)
	}
}

// Names that have nothing in common.
func TestTooManyStemsCollapseByLevel(t *testing.T) {
	g := build(t, func(b *dag.Builder) {
		for i := range 400 {
			b.Add(string(rune('a'+i/20)) + string(rune('a'+i%20)))
		}
		b.Add("end", "aa", "tt")
	})
	if got := names(newSketch(Input{Graph: g}, usual)); got != "level 0:400 end:1" {
		t.Errorf("groups are %s", got)
	}
}

// A chain of training steps has as many levels as stages. Its name says what it is.
func TestGroupsHaveNamesAndNotLevels(t *testing.T) {
	g := build(t, func(b *dag.Builder) {
		b.Add("fetch")
		last := "fetch"
		for i := range 400 {
			name := fmt.Sprintf("train-%03d", i)
			b.Add(name, last)
			last = name
		}
		for i := range 300 {
			b.Add(fmt.Sprintf("test-%c%c-fast", 'a'+i/20, 'a'+i%20), last)
			b.Add(fmt.Sprintf("fit[lr=%d,kind=x]", i), "fetch")
		}
		b.Add("report", last)
	})
	want := "fetch:1 train-*:400 test-*:300 fit[*]:300 report:1"
	if got := names(newSketch(Input{Graph: g}, usual)); got != want {
		t.Errorf("groups are %s, want %s", got, want)
	}
	if n := len(newSketch(Input{Graph: g, Full: true}, usual).nodes); n != g.Len() {
		t.Errorf("the full picture has %d nodes of %d", n, g.Len())
	}
	if err := Draw(io.Discard, Input{Graph: g, Full: true}, Mermaid); err == nil || !strings.Contains(err.Error(), "at most 500 dependencies") {
		t.Errorf("the full picture as Mermaid: %v", err)
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts int
		want  string
	}{
		{"train-us-m1", 1, "train-"}, {"train-us-m1", 2, "train-us-"}, {"train-us-m1", 3, "train-us-m"}, {"train", 1, "train"},
		{"s12x", 1, "s"}, {"fit[lr=1]", 1, "fit["}, {"é_ü", 1, "é_"}, {"_a-b", 1, "_a-"}, {"a--b", 1, "a-"}, {"12th", 1, "12th"},
	} {
		if got := prefix(c.name, c.parts); got != c.want {
			t.Errorf("prefix(%q, %d) = %q, want %q", c.name, c.parts, got, c.want)
		}
	}
}

func TestAround_HasNoSiblings(t *testing.T) {
	in := run("p", build(t, six))
	for depth, want := range []string{"stage_3", "stage_2 stage_3 stage_6", "stage_2 stage_3 stage_6"} {
		part, err := Around(in, 2, depth)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for s := range dag.StageID(part.Graph.Len()) {
			got = append(got, part.Graph.Name(s))
			if whole, _ := in.Graph.Lookup(part.Graph.Name(s)); part.State(s) != in.State(whole) || part.Label(s) != in.Label(whole) {
				t.Errorf("%s has the state of another stage", part.Graph.Name(s))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("at depth %d there are %v, want %s", depth, got, want)
		}
		if text := draw(t, part, ASCII); !strings.Contains(text, "of 6, around stage_3") {
			t.Errorf("it does not say that it is a part:\n%s", text)
		}
	}
}

func TestTooManyLevelsCollapseSeveralAtATime(t *testing.T) {
	s := newSketch(Input{Graph: build(t, layers(1, 1234))}, usual)
	if len(s.nodes) != 247 || s.nodes[1].name != "levels 5-9" || s.nodes[246].name != "levels 1230-1233" || s.nodes[1].level != 5 {
		t.Errorf("%d groups: %s", len(s.nodes), names(s))
	}
	if len(s.edges) != 246 {
		t.Errorf("%d edges", len(s.edges))
	}
}

// Mermaid shows an error instead of a picture if there are more than 500 edges.
func TestMermaidNeverGetsTooManyEdges(t *testing.T) {
	everything := func(n int) func(*dag.Builder) {
		return func(b *dag.Builder) {
			var before []string
			for i := range n {
				name := fmt.Sprintf("%dth", i)
				b.Add(name, before...)
				before = append(before, name)
			}
		}
	}
	for _, add := range []func(*dag.Builder){layers(30, 10), layers(100, 12), everything(60), everything(600)} {
		g := build(t, add)
		if n := strings.Count(draw(t, Input{Graph: g}, Mermaid), "-->"); n > 500 || n == 0 {
			t.Errorf("%d edges", n)
		}
	}
}

func TestCollapsedRunAddsUp(t *testing.T) {
	in := run("p", build(t, layers(90, 11)))
	s := newSketch(in, usual)
	var stages int
	var sum counters
	for _, n := range s.nodes {
		stages += n.count
		for state, k := range n.counters {
			sum[state] += k
		}
	}
	if stages != 990 || sum != s.counters {
		t.Errorf("%d stages, states %v; the whole has %v", stages, sum, s.counters)
	}
	var deps int
	for _, e := range s.edges {
		deps += e.count
	}
	if deps != in.Graph.Edges() {
		t.Errorf("edges stand for %d dependencies of %d", deps, in.Graph.Edges())
	}
	if text := draw(t, in, ASCII); !strings.Contains(text, "12 succeeded, 12 failed") {
		t.Errorf("counts per state are missing:\n%s", text)
	}
}

func TestAFailureShowsInItsGroup(t *testing.T) {
	var n counters
	n[dag.Succeeded], n[dag.Failed], n[dag.Running] = 1_000_000, 1, 50
	if s, ok := n.state(); !ok || s != dag.Failed {
		t.Errorf("the group looks %v", s)
	}
	if got := strings.Join(n.parts(), ", "); got != "1,000,000 succeeded, 1 failed, 50 running" {
		t.Errorf("the group says %s", got)
	}
}
