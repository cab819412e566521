package picture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// fewGroups is how many groups a picture has if there is a choice.
const fewGroups = 100

// collapse groups stages by their names, or, if that is still too much to draw, by level or a few
// levels at a time.
func collapse(g *dag.Graph, most limits) (grouping, []edge) {
	// A pattern of names, such as train-*, says more about a group than the number of its level.
	// The longest prefix says most, unless there are too many of them to see anything.
	for _, nodes := range [...]int{min(fewGroups, most.nodes), most.nodes} {
		for _, pattern := range namePatterns {
			groups, edges, ok := byName(g, pattern, limits{nodes: nodes, edges: most.edges})
			if ok {
				return groups, edges
			}
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

// namePatterns are the ways to find what the names of a group have in common: first all but an
// index, then less and less.
var namePatterns = [...]func(string) (before, after string){
	stem,
	func(name string) (string, string) { return split(name, 3) },
	func(name string) (string, string) { return split(name, 2) },
	func(name string) (string, string) { return split(name, 1) },
}

// byName makes a group of the stages with one pattern, or, if these groups would depend on each
// other in a circle, of those among them that have one level.
func byName(g *dag.Graph, pattern func(string) (before, after string), most limits) (grouping, []edge, bool) {
	for _, levels := range [...]bool{false, true} {
		groups, ok := byPattern(g, pattern, levels, most.nodes)
		// One group for everything would be no picture.
		if !ok || len(groups.nodes) < 2 {
			continue
		}

		edges := merge(g, groups)
		if len(edges) <= most.edges && acyclic(len(groups.nodes), edges) {
			return groups, edges, true
		}
	}

	return grouping{}, nil, false
}

// byPattern gives up, with false, when there are too many groups.
func byPattern(g *dag.Graph, pattern func(string) (before, after string), levels bool, most int) (grouping, bool) {
	type key struct {
		level         int
		before, after string
	}
	groups := grouping{of: make([]int32, g.Len())}
	known := map[key]int32{}
	for s := range groups.of {
		name := g.Name(dag.StageID(s))
		before, after := pattern(name)
		k := key{before: before, after: after}
		if levels {
			k.level = g.Level(dag.StageID(s))
		}

		n, ok := known[k]
		switch {
		case !ok && len(known) == most:
			// A pipeline may have a million patterns. They must not fill the memory.
			return grouping{}, false
		case !ok:
			n = int32(len(known))
			known[k] = n
			groups.nodes = append(groups.nodes, node{name: clean(name), level: g.Level(dag.StageID(s))})
		// A single stage keeps its name. The second of its kind makes it a pattern.
		case groups.nodes[n].count == 1:
			groups.nodes[n].name = clean(before + "*" + after)
		}

		groups.put(s, n)
		groups.nodes[n].level = min(groups.nodes[n].level, g.Level(dag.StageID(s)))
	}

	return groups, true
}

// acyclic reports whether no nodes depend on each other in a circle, which no layout in rows shows.
func acyclic(nodes int, edges []edge) bool {
	open := make([]int, nodes) // edges to a node that is not reached
	next := make([][]int32, nodes)
	for _, e := range edges {
		open[e.to]++
		next[e.from] = append(next[e.from], e.to)
	}

	var reached []int32
	for n, count := range open {
		if count == 0 {
			reached = append(reached, int32(n))
		}
	}

	for i := 0; i < len(reached); i++ {
		for _, n := range next[reached[i]] {
			if open[n]--; open[n] == 0 {
				reached = append(reached, n)
			}
		}
	}

	return len(reached) == nodes
}

// split splits a name after its first parts: "fit[lr=" and "]" for two parts of fit[lr=1].
func split(name string, parts int) (before, after string) {
	before = prefix(name, parts)
	if strings.Contains(before, "[") && strings.HasSuffix(name, "]") && before != name {
		after = "]"
	}
	return before, after
}

// prefix returns the first parts of a name, with the separator after them: two parts of
// "train-us-m1" are "train-us-". A name with no more parts is returned whole.
func prefix(name string, parts int) string {
	word := false
	digit := false
	for i, r := range name {
		wordNow := unicode.IsLetter(r) || unicode.IsDigit(r)
		digitNow := unicode.IsDigit(r)

		// A number is a part even without a separator before it.
		if word && (!wordNow || digitNow && !digit) {
			parts--
			if parts == 0 {
				_, size := utf8.DecodeRuneInString(name[i:])
				if wordNow {
					size = 0
				}
				return name[:i+size]
			}
		}
		word = wordNow
		digit = digitNow
	}

	return name
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
	// Nothing is grouped: the edges are the dependencies.
	n := len(groups.nodes)
	if n == g.Len() {
		return edgesOf(g)
	}

	// A matrix instead of a map: at most 300 nodes need 360 KB, a million edges are counted without
	// hashing, and the edges come out sorted.
	counts := make([]uint32, n*n)
	for to, node := range groups.of {
		for _, from := range g.Deps(dag.StageID(to)) {
			counts[int(groups.of[from])*n+int(node)]++
		}
	}

	var edges []edge
	for i, count := range counts {
		if from, to := i/n, i%n; count > 0 && from != to {
			edges = append(edges, edge{from: int32(from), to: int32(to), count: int(count)})
		}
	}

	return edges
}

// edgesOf returns the dependencies between stages, sorted.
func edgesOf(g *dag.Graph) []edge {
	edges := make([]edge, 0, g.Edges())
	for to := range g.Len() {
		for _, from := range g.Deps(dag.StageID(to)) {
			edges = append(edges, edge{from: int32(from), to: int32(to), count: 1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return edges
}
