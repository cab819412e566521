package picture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godags/godags/dag"
)

// sketch is what is drawn: stages, or groups of them.
type sketch struct {
	name, run string
	nodes     []node
	edges     []edge // by from, then to
	stages    int
	deps      int // dependencies between stages
	counters  counters
	part      string // see Input.Part
}

// node is a stage, or a group of at least two.
type node struct {
	name     string   // whole, fit to be shown
	label    string   // of a stage: the caller's
	badge    string   // of a stage: see Input.Badge
	pill     string   // the badge, where it is drawn on the border
	hover    []string // see Input.Hover
	critical bool     // has a stage of the critical path
	why      string   // of a ready stage: the reason why it does not start
	level    int
	count    int      // stages
	counters counters // of a run: stages per state
}

// edge says that stages of node to come after stages of node from.
type edge struct {
	from, to int32
	count    int // dependencies
	critical bool
}

// counters counts stages per state.
type counters [dag.Cancelled + 1]int

// stateOrder is the order in which states are told: what is over, then what is to come.
var stateOrder = [...]dag.State{dag.Succeeded, dag.Failed, dag.Skipped, dag.Cancelled, dag.Running, dag.Retrying, dag.Ready, dag.Waiting}

// parts returns "97 succeeded", "3 failed".
func (t counters) parts() []string {
	var parts []string
	for _, s := range stateOrder {
		if t[s] > 0 {
			parts = append(parts, commas(t[s])+" "+s.String())
		}
	}
	return parts
}

// state is the one that says most about the stages: a failure counts more than any number of
// successes. It is false for a pipeline that is not run.
func (t counters) state() (dag.State, bool) {
	for _, s := range [...]dag.State{dag.Failed, dag.Running, dag.Retrying, dag.Ready, dag.Waiting, dag.Cancelled, dag.Skipped, dag.Succeeded} {
		if t[s] > 0 {
			return s, true
		}
	}
	return 0, false
}

// details are the lines below a node's name.
func (n *node) details() []string {
	if n.count > 1 {
		return append([]string{commas(n.count) + " stages"}, wrap(n.counters.parts(), 30)...)
	}

	var words []string
	if s, ok := n.counters.state(); ok {
		words = append(words, s.String())
	}

	if n.label != "" {
		words = append(words, n.label)
	}

	if n.badge != "" {
		words = append(words, n.badge)
	}

	if len(words) == 0 {
		return nil
	}

	return []string{strings.Join(words, " · ")}
}

// title is all there is to say about a node, in one line.
func (n *node) title() string {
	parts := append([]string{n.name}, n.details()...)
	if n.why != "" {
		parts = append(parts, n.why)
	}
	return strings.Join(parts, ", ")
}

// heading names the pipeline and the run.
func (s *sketch) heading() string {
	if s.run == "" {
		return s.name
	}
	return s.name + " · run " + s.run
}

// summary says how much is drawn: "1,000 stages in 10 groups, 2,000 dependencies".
func (s *sketch) summary() string {
	stages := plural(s.stages, "stage")
	if len(s.nodes) < s.stages {
		stages += " in " + plural(len(s.nodes), "group")
	}

	if s.part != "" {
		stages += " " + s.part
	}

	dependencies := commas(s.deps) + " dependencies"
	if s.deps == 1 {
		dependencies = "1 dependency"
	}
	return stages + ", " + dependencies
}

func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return commas(n) + " " + word
}

// limits say when to collapse.
type limits struct {
	nodes int // most stages, and most groups
	edges int // most dependencies between groups
	full  int // most dependencies of a pipeline that is drawn stage by stage
}

// usual keeps a picture readable. All dependencies of up to 300 stages are drawn, however many
// there are.
var usual = limits{nodes: 300, edges: 2000, full: 300 * 300}

// newSketch draws stage by stage if the limits allow or everything is asked for, else groups of
// stages whose names begin alike, else levels.
func newSketch(in Input, most limits) *sketch {
	g := in.Graph
	s := &sketch{name: clean(in.Name), run: clean(in.Run), stages: g.Len(), deps: g.Edges(), part: in.Part}
	var groups grouping
	// Edges of single stages have their own limit: 300 stages stay readable, even if each depends
	// on all before it.
	if in.Full || g.Len() <= most.nodes && g.Edges() <= most.full {
		groups = ungrouped(g)
		s.edges = merge(g, groups)
	} else {
		groups, s.edges = collapse(g, most)
	}

	s.nodes = groups.nodes
	s.fill(in, groups.of)
	s.markPath(in.Path, groups.of)
	return s
}

// fill adds what the run says about the stages of each node.
func (s *sketch) fill(in Input, of []int32) {
	for stage, n := range of {
		n := &s.nodes[n]
		if in.State != nil {
			state := in.State(dag.StageID(stage))
			n.counters[state]++
			s.counters[state]++
		}

		if in.Label != nil && n.count == 1 {
			n.label = clean(in.Label(dag.StageID(stage)))
		}

		if in.Badge != nil && n.count == 1 {
			n.badge = clean(in.Badge(dag.StageID(stage)))
		}

		if in.Hover != nil && n.count == 1 {
			for _, line := range in.Hover(dag.StageID(stage)) {
				n.hover = append(n.hover, clean(line))
			}
		}

		// The reason of a group would be that of one of its stages, and mislead. A ready stage's
		// code says more than its duration, which it does not have yet.
		if in.Reason != nil && n.count == 1 && n.counters[dag.Ready] > 0 {
			reason, _ := in.Reason(dag.StageID(stage))
			n.why = clean(reason.Text)
			n.label = strings.ReplaceAll(reason.Code, "_", " ")
		}
	}
}

// markPath marks the nodes of the critical path, and the edges between them.
func (s *sketch) markPath(path []dag.StageID, of []int32) {
	steps := make(map[[2]int32]bool)
	for i, stage := range path {
		s.nodes[of[stage]].critical = true
		if i > 0 {
			steps[[2]int32{of[path[i-1]], of[stage]}] = true
		}
	}

	for i := range s.edges {
		e := &s.edges[i]
		e.critical = steps[[2]int32{e.from, e.to}]
	}
}

// hasPath reports whether a critical path is marked.
func (s *sketch) hasPath() bool {
	return slices.ContainsFunc(s.nodes, func(n node) bool { return n.critical })
}

// markedName is the name of a node in text, with a star on the critical path.
func (n *node) markedName() string {
	if n.critical {
		return "* " + n.name
	}
	return n.name
}

// byLevel returns the nodes by level, in order.
func (s *sketch) byLevel() []int32 {
	order := make([]int32, len(s.nodes))
	for i := range order {
		order[i] = int32(i)
	}
	// Within a level the order of the file stays.
	slices.SortStableFunc(order, func(a, b int32) int { return s.nodes[a].level - s.nodes[b].level })
	return order
}

// times is how a count of merged dependencies is written, "" for one.
func (e edge) times() string {
	if e.count == 1 {
		return ""
	}
	return fmt.Sprintf("×%s", commas(e.count))
}
