package dag

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// check tries a property ten times as often as rapid does by default: the cases are small.
func check(t *testing.T, property func(*rapid.T)) {
	for range 10 {
		rapid.Check(t, property)
	}
}

// build makes a graph of lines such as "c: a b", which means that c comes after a and b. What
// follows a semicolon is left out.
func build(t testing.TB, lines ...string) *Graph {
	t.Helper()
	g, err := builderOf(lines...).Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func builderOf(lines ...string) *Builder {
	var b Builder
	for _, line := range lines {
		line, _, _ = strings.Cut(line, ";")
		name, after, _ := strings.Cut(line, ":")
		b.Add(name, strings.Fields(after)...)
	}
	return &b
}

// layered is a graph of the given number of layers; each stage depends on fan stages of the layer
// before.
func layered(t testing.TB, layers, width, fan int) *Graph {
	t.Helper()
	b := layeredBuilder(layers, width, fan)
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func layeredBuilder(layers, width, fan int) *Builder {
	var b Builder
	b.Grow(layers*width, (layers-1)*width*fan)
	name := func(layer, i int) string { return fmt.Sprintf("s%d_%d", layer, i%width) }
	after := make([]string, fan)
	for layer := range layers {
		for i := range width {
			if layer == 0 {
				b.Add(name(0, i))
				continue
			}
			for k := range after {
				after[k] = name(layer-1, i*7+k*(width/fan))
			}
			b.Add(name(layer, i), after...)
		}
	}
	return &b
}

// outstanding is what was commanded last about each stage, and about the run, and was not overtaken
// by an event.
type outstanding struct {
	stages map[StageID]Command
	finish bool
}

func newOutstanding(r *Run) *outstanding {
	o := &outstanding{stages: make(map[StageID]Command)}
	o.add(r, r.Pending(nil))
	return o
}

func (o *outstanding) add(r *Run, commands []Command) {
	for _, c := range commands {
		if c.Type == Finish {
			o.finish = true
		} else {
			o.stages[c.Stage] = c
		}
	}
	maps.DeleteFunc(o.stages, func(s StageID, _ Command) bool { return r.State(s) == Running || r.State(s).Terminal() })
	o.finish = o.finish && !r.Finished()
}

// list is in the order of [Run.Pending].
func (o *outstanding) list() []Command {
	list := slices.SortedFunc(maps.Values(o.stages), func(a, b Command) int { return cmp.Compare(a.Stage, b.Stage) })
	if o.finish {
		list = append(list, Command{Type: Finish})
	}
	return list
}

// replayed returns a new run after the events.
func replayed(t rapid.TB, g *Graph, rules Rules, events []Event) *Run {
	t.Helper()
	r := NewRun(g, rules)
	for _, e := range events {
		if _, err := r.Apply(e, nil); err != nil {
			t.Fatalf("replay: %v", err)
		}
	}
	return r
}

// runToEnd carries out all that a run commands, and returns the events.
func runToEnd(t testing.TB, r *Run) []Event {
	t.Helper()
	var events []Event
	commands := r.Pending(nil)
	for i := 0; i < len(commands); i++ {
		c := commands[i]
		next := []Event{{Type: RunFinished}}
		if c.Type == Dispatch {
			next = []Event{{Type: StageStarted, Stage: c.Stage, Attempt: c.Attempt}, {Type: StageSucceeded, Stage: c.Stage, Attempt: c.Attempt}}
		}
		for _, e := range next {
			var err error
			if commands, err = r.Apply(e, commands); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
	}
	if !r.Finished() || r.Outcome() != Succeeded || len(commands) != r.Graph().Len()+1 {
		t.Fatalf("after %d commands the run is %v, finished: %v", len(commands), r.Outcome(), r.Finished())
	}
	return events
}

// drawGraph draws a graph of at most 40 stages. Its stages are added in any order. Rapid prefers
// small numbers: they make deep graphs or wide ones.
func drawGraph(t *rapid.T) *Graph {
	n := rapid.OneOf(rapid.IntRange(10, 40), rapid.IntRange(0, 10)).Draw(t, "stages")
	position := make([]int, n)
	for i := range position {
		position[i] = i
	}
	position = rapid.Permutation(position).Draw(t, "order")
	fan, deep := rapid.SampledFrom([]int{3, 2, 1, 6}).Draw(t, "most dependencies"), rapid.Bool().Draw(t, "deep")
	var b Builder
	for _, p := range position {
		var after []string
		for _, d := range rapid.SliceOfN(rapid.IntRange(0, max(0, p-1)), 0, min(p, fan)).Draw(t, "after") {
			if deep {
				d = p - 1 - d
			}
			after = append(after, fmt.Sprint("s", d))
		}
		b.Add(fmt.Sprint("s", p), after...)
	}
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// drawRules draws the rules of a run; in some all stages have the zero rule.
func drawRules(t *rapid.T, g *Graph) Rules {
	rules := Rules{Stop: rapid.IntRange(0, 3).Draw(t, "stop") == 3}
	if rapid.IntRange(0, 3).Draw(t, "plain") == 3 {
		return rules
	}
	for s := range StageID(g.Len()) {
		rule := Rule{
			Trigger: rapid.SampledFrom([]Trigger{AllSuccess, AllSuccess, AllDone, AnySuccess, AnyFailed}).Draw(t, "trigger"),
			Retries: max(0, rapid.IntRange(-2, 2).Draw(t, "retries")),
			Gather:  rapid.IntRange(0, 3).Draw(t, "gather") == 3,
		}
		if deps := g.Deps(s); len(deps) > 0 && rapid.IntRange(0, 3).Draw(t, "mapped") == 3 {
			rule.Each = new(rapid.SampledFrom(deps).Draw(t, "each"))
		}
		rules.Kinds, rules.KindOf = append(rules.Kinds, rule), append(rules.KindOf, uint32(s))
	}
	return rules
}
