package picture

import (
	"fmt"
	"strings"

	"github.com/godags/godags/dag"
)

// grouping says which node shows a stage.
type grouping struct {
	of    []int32 // per stage
	nodes []node
}

func (g *grouping) put(stage int, n int32) {
	g.of[stage] = n
	g.nodes[n].count++
}

func ungrouped(g *dag.Graph) grouping {
	groups := grouping{of: make([]int32, g.Len()), nodes: make([]node, g.Len())}
	for s := range groups.of {
		groups.put(s, int32(s))
		groups.nodes[s].name, groups.nodes[s].level = clean(g.Name(dag.StageID(s))), g.Level(dag.StageID(s))
	}
	return groups
}

// collapse groups stages by level and stem, or, if that is still too much to draw, by level or a
// few levels at a time.
func collapse(g *dag.Graph, most limits) (grouping, []edge) {
	// A pattern of names, such as l3_*, says more about a group than the number of its level.
	if groups, ok := byStem(g, most.nodes); ok {
		if edges := merge(g, groups); len(edges) <= most.edges {
			return groups, edges
		}
	}

	levels := 0
	for s := range g.Len() {
		levels = max(levels, g.Level(dag.StageID(s))+1)
	}

	// This ends: at the latest, all levels are in one node, which has no edges.
	for i := 0; ; i++ {
		height := round(i)
		if (levels+height-1)/height > most.nodes {
			continue
		}
		groups := byLevel(g, levels, height)
		if edges := merge(g, groups); len(edges) <= most.edges {
			return groups, edges
		}
	}
}

// round returns 1, 2, 5, 10, 20, 50, ...
func round(i int) int {
	n := [3]int{1, 2, 5}[i%3]
	for range i / 3 {
		n *= 10
	}
	return n
}

// byStem gives up, with false, when there are too many groups.
func byStem(g *dag.Graph, most int) (grouping, bool) {
	type key struct {
		level int
		stem  string
	}
	groups := grouping{of: make([]int32, g.Len())}
	known := map[key]int32{}
	for s := range groups.of {
		name := g.Name(dag.StageID(s))
		level := g.Level(dag.StageID(s))
		before, after := stem(name)
		k := key{level, before + after}
		n, ok := known[k]
		switch {
		case !ok && len(known) == most:
			// A pipeline may have a million stems. They must not fill the memory.
			return grouping{}, false
		case !ok:
			n = int32(len(known))
			known[k] = n
			groups.nodes = append(groups.nodes, node{name: clean(name), level: level})
		// A single stage keeps its name. The second of its kind makes it a pattern.
		case groups.nodes[n].count == 1: // the second of its kind
			groups.nodes[n].name = clean(before + "*" + after)
		}

		groups.put(s, n)
	}

	return groups, true
}

// stem splits a name around its index: "l3_" for l3_17, "train[" and "]" for train[4]. A name
// without an index is all stem.
func stem(name string) (before, after string) {
	if open := strings.LastIndexByte(name, '['); open >= 0 && strings.HasSuffix(name, "]") {
		return name[:open+1], "]"
	}
	return strings.TrimRight(name, "0123456789"), ""
}

// byLevel makes a node of so many consecutive levels at a time.
func byLevel(g *dag.Graph, levels, height int) grouping {
	groups := grouping{of: make([]int32, g.Len()), nodes: make([]node, (levels+height-1)/height)}
	for s := range groups.of {
		n := g.Level(dag.StageID(s)) / height
		groups.put(s, int32(n))
		groups.nodes[n].name = g.Name(dag.StageID(s))
	}

	for i := range groups.nodes {
		n := &groups.nodes[i]
		n.level = i * height
		switch last := min(n.level+height, levels) - 1; {
		case n.count == 1:
			n.name = clean(n.name)
		case last > n.level:
			n.name = fmt.Sprintf("levels %d-%d", n.level, last)
		default:
			n.name = fmt.Sprintf("level %d", n.level)
		}
	}

	return groups
}

// merge counts the dependencies between nodes. Those inside of a node are not drawn.
func merge(g *dag.Graph, groups grouping) []edge {
	// A matrix instead of a map: at most 300 nodes need 360 KB, a million edges are counted without
	// hashing, and the edges come out sorted.
	n := len(groups.nodes)
	counts := make([]uint32, n*n)
	for to, node := range groups.of {
		for _, from := range g.Deps(dag.StageID(to)) {
			counts[int(groups.of[from])*n+int(node)]++
		}
	}

	var edges []edge
	for i, count := range counts {
		if from, to := i/n, i%n; count > 0 && from != to {
			edges = append(edges, edge{int32(from), int32(to), int(count)})
		}
	}

	return edges
}
