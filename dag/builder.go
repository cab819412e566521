package dag

import (
	"errors"
	"slices"
	"strings"
)

// Builder makes a [Graph] of stages. The zero value is ready to use. A stage may name dependencies
// that are added later.
type Builder struct {
	names  []string
	after  []string // dependencies of all stages, in order of stage
	offset []uint32 // by stage: index of its first dependency in after
}

// Grow makes room for n more stages with edges dependencies between them.
func (b *Builder) Grow(n, edges int) {
	b.names = slices.Grow(b.names, n)
	b.offset = slices.Grow(b.offset, n)
	b.after = slices.Grow(b.after, edges)
}

// Add adds a stage that starts after the named ones. A name that is repeated counts once.
// [Builder.Build] reports problems of the stage.
func (b *Builder) Add(name string, after ...string) StageID {
	id := StageID(len(b.names))
	b.names = append(b.names, name)
	b.offset = append(b.offset, uint32(len(b.after)))
	b.after = append(b.after, after...)
	return id
}

// Build returns the graph, or an [*InvalidError] that lists all problems.
func (b *Builder) Build() (*Graph, error) {
	// The first stage with a name keeps it, so that a duplicate causes one problem and not another
	// for each dependent.
	known := make(map[string]StageID, len(b.names))
	var problems []Problem
	for i, name := range b.names {
		if reason := illegal(name); reason != "" {
			problems = append(problems, Problem{Kind: IllegalName, Stage: StageID(i), Name: name, Dep: -1, Reason: reason})
		}
		if first, dup := known[name]; dup {
			problems = append(problems, Problem{Kind: DuplicateName, Stage: StageID(i), Name: name, Dep: -1, First: first})
			continue
		}
		known[name] = StageID(i)
	}

	// Cycles are looked for even if there are other problems: a user fixes all of them at once.
	deps, unresolved := b.resolve(known)
	problems = append(problems, unresolved...)
	g, cycles := assemble(slices.Clone(b.names), deps)
	if problems = append(problems, cycles...); len(problems) > 0 {
		return nil, invalid(problems)
	}

	return g, nil
}

// resolve replaces the names of dependencies by ids.
func (b *Builder) resolve(known map[string]StageID) (adjacency, []Problem) {
	deps := adjacency{off: make([]uint32, 1, len(b.names)+1), ids: make([]StageID, 0, len(b.after))}
	var problems []Problem
	for i := range b.names {
		begin := len(deps.ids)
		for k, name := range b.afterOf(i) {
			dep, ok := known[name]
			switch {
			case !ok:
				problems = append(problems, Problem{Kind: UnknownDependency, Stage: StageID(i), Name: b.names[i],
					Dep: k, Dependency: name, Suggestion: b.suggest(i, name, len(problems))})
			case b.names[i] == name:
				problems = append(problems, Problem{Kind: SelfDependency, Stage: StageID(i), Name: name, Dep: k, Dependency: name})
			case len(deps.ids)-begin > manyDeps || !slices.Contains(deps.ids[begin:], dep):
				deps.ids = append(deps.ids, dep)
			}
		}

		// With many dependencies repetitions were kept above. A map finds all of them in one pass.
		if len(deps.ids)-begin > manyDeps {
			deps.ids = append(deps.ids[:begin], unique(deps.ids[begin:])...)
		}

		deps.off = append(deps.off, uint32(len(deps.ids)))
	}

	return deps, problems
}

// manyDeps is the number of dependencies above which scanning for repetitions is slower than a map.
const manyDeps = 32

// unique removes repetitions and keeps the order.
func unique(ids []StageID) []StageID {
	seen := make(map[StageID]bool, len(ids))
	return slices.DeleteFunc(ids, func(id StageID) bool {
		was := seen[id]
		seen[id] = true
		return was
	})
}

func (b *Builder) afterOf(i int) []string {
	if i+1 < len(b.offset) {
		return b.after[b.offset[i]:b.offset[i+1]]
	}
	return b.after[b.offset[i]:]
}

// FromDeps returns the graph of the named stages, where deps[off[s]:off[s+1]] are the dependencies
// of stage s. A spec stores a pipeline in this form. The graph keeps the slices. The caller must
// have checked the names with [CheckName]. FromDeps returns an [*InvalidError] for cycles, and
// another error if the slices do not fit together or two stages have the same name.
func FromDeps(names []string, off []uint32, deps []StageID) (*Graph, error) {
	if len(off) != len(names)+1 || off[0] != 0 || !slices.IsSorted(off) || int(off[len(names)]) != len(deps) {
		return nil, errors.New("dag: dependency offsets do not fit the stages")
	}

	for _, d := range deps {
		if int(d) >= len(names) {
			return nil, errors.New("dag: a dependency is not a stage of the graph")
		}
	}

	g, problems := assemble(names, adjacency{off, deps})
	if len(problems) > 0 {
		return nil, invalid(problems)
	}

	// byName is sorted, so equal names are neighbours.
	for i := 1; i < len(g.byName); i++ {
		if g.names[g.byName[i-1]] == g.names[g.byName[i]] {
			return nil, errors.New("dag: two stages have the same name")
		}
	}

	return g, nil
}

// assemble derives the other fields from names and dependencies. The graph is usable only if there
// are no problems.
func assemble(names []string, deps adjacency) (*Graph, []Problem) {
	g := &Graph{names: names, deps: deps, outs: transpose(deps)}
	if waiting := g.sort(); len(g.order) < len(names) {
		return nil, g.cycles(waiting)
	}

	g.byName = make([]StageID, len(names))
	for i := range g.byName {
		g.byName[i] = StageID(i)
	}

	slices.SortFunc(g.byName, func(a, b StageID) int { return strings.Compare(names[a], names[b]) })
	return g, nil
}

// transpose returns the edges in the other direction.
func transpose(a adjacency) adjacency {
	n := len(a.off) - 1
	t := adjacency{off: make([]uint32, n+1), ids: make([]StageID, len(a.ids))}
	// Counting sort: count the edges of each stage, sum up to offsets, then fill in the ids.
	for _, d := range a.ids {
		t.off[d+1]++
	}

	for i := range n {
		t.off[i+1] += t.off[i]
	}

	next := slices.Clone(t.off[:n])
	for s := range n {
		for _, d := range a.of(StageID(s)) {
			t.ids[next[d]] = StageID(s)
			next[d]++
		}
	}

	return t
}

// sort fills order and levels (Kahn's algorithm), and returns for every stage how many of its
// dependencies are not in order. Stages that are not in order are part of a cycle, or downstream of
// one.
func (g *Graph) sort() (waiting []int32) {
	n := len(g.names)
	g.order = make([]StageID, 0, n)
	g.levels = make([]uint32, n)
	waiting = make([]int32, n)
	for s := range n {
		waiting[s] = int32(len(g.deps.of(StageID(s))))
		if waiting[s] == 0 {
			g.order = append(g.order, StageID(s))
		}
	}

	g.sortFrom(0, waiting)
	return waiting
}

// sortFrom appends to order the stages that waited only for those from index next on.
func (g *Graph) sortFrom(next int, waiting []int32) {
	for ; next < len(g.order); next++ {
		s := g.order[next]
		g.maximum = max(g.maximum, g.levels[s])
		for _, out := range g.outs.of(s) {
			g.levels[out] = max(g.levels[out], g.levels[s]+1)
			if waiting[out]--; waiting[out] == 0 {
				g.order = append(g.order, out)
			}
		}
	}
}

// cycles reports disjoint cycles, enough of them that the graph could be sorted without them. It
// walks from stage to dependency, among those that are not in order, until it meets a stage of the
// walk again.
func (g *Graph) cycles(waiting []int32) []Problem {
	var problems []Problem
	var walk []StageID
	place := make([]int, len(g.names)) // by stage: its place in the walk, from 1
	next := slices.Clone(g.deps.off)   // by stage: the dependency to walk to next
	for start := range g.names {
		walk = append(walk[:0], StageID(start))
		place[start] = 1
		for len(walk) > 0 {
			s := walk[len(walk)-1]
			if waiting[s] <= 0 {
				walk = walk[:len(walk)-1]
				continue
			}

			// next never passes the last dependency: a stage that waits has one that is not in
			// order.
			switch d := g.deps.ids[next[s]]; {
			case waiting[d] <= 0:
				next[s]++
			case place[d] == 0:
				walk = append(walk, d)
				place[d] = len(walk)
			default:
				problems = append(problems, g.cycle(walk[place[d]-1:]))
				g.breakCycle(walk[place[d]-1:], waiting)
			}
		}
	}

	return problems
}

// breakCycle continues the sort as if the stages of a cycle did not wait for each other. Stages
// that are only downstream of this cycle are then in order, and are not reported.
func (g *Graph) breakCycle(cycle []StageID, waiting []int32) {
	for _, s := range cycle {
		waiting[s] = 0
	}
	sorted := len(g.order)
	g.order = append(g.order, cycle...)
	g.sortFrom(sorted, waiting)
}

func (g *Graph) cycle(stages []StageID) Problem {
	p := Problem{Kind: Cycle, Stage: stages[0], Name: g.names[stages[0]], Dep: -1}
	for _, s := range stages {
		p.Path = append(p.Path, g.names[s])
	}
	p.Path = append(p.Path, p.Name)
	return p
}
