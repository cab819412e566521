package dag

import (
	"iter"
	"slices"
	"strings"
)

// StageID is a stage's position in its graph: 0 for the stage that was added first.
type StageID uint32

// Graph is a pipeline's stages and dependencies. It is immutable, and safe for concurrent use.
//
// Edges are stored as compact adjacency lists in both directions. A million stages with three
// million edges take 60 MB, plus the bytes of their names.
type Graph struct {
	names   []string
	deps    adjacency
	outs    adjacency
	order   []StageID // topological
	levels  []uint32  // per stage: length of the longest path that leads to it
	byName  []StageID // sorted by name
	maximum uint32    // highest level
}

// adjacency lists the neighbours of stage s in ids[off[s]:off[s+1]].
type adjacency struct {
	off []uint32
	ids []StageID
}

func (a adjacency) of(s StageID) []StageID { return a.ids[a.off[s]:a.off[s+1]:a.off[s+1]] }

// Len returns the number of stages.
func (g *Graph) Len() int { return len(g.names) }

// Edges returns the number of dependencies.
func (g *Graph) Edges() int { return len(g.deps.ids) }

// Name returns the name of stage s.
func (g *Graph) Name(s StageID) string { return g.names[s] }

// Lookup returns the stage with the given name.
func (g *Graph) Lookup(name string) (StageID, bool) {
	i, ok := slices.BinarySearchFunc(g.byName, name, func(s StageID, name string) int {
		return strings.Compare(g.names[s], name)
	})
	if !ok {
		return 0, false
	}
	return g.byName[i], true
}

// Deps returns the dependencies of s, in the order in which they were given. The caller must
// not change the slice.
func (g *Graph) Deps(s StageID) []StageID { return g.deps.of(s) }

// Dependents returns the stages that depend on s, in order of id. The caller must not change the
// slice.
func (g *Graph) Dependents(s StageID) []StageID { return g.outs.of(s) }

// Topological returns all stages, each after the stages that it depends on. The caller must not
// change the slice.
func (g *Graph) Topological() []StageID { return g.order }

// Leaves yields the stages without dependents, in order of id.
func (g *Graph) Leaves() iter.Seq[StageID] {
	return func(yield func(StageID) bool) {
		for s := range g.names {
			if len(g.outs.of(StageID(s))) == 0 && !yield(StageID(s)) {
				return
			}
		}
	}
}

// Level returns the length of the longest path that leads to s: 0 for a stage without dependencies.
func (g *Graph) Level(s StageID) int { return int(g.levels[s]) }

// Levels groups the stages by [Graph.Level]: the grouped topological sort. Stages of one group do
// not depend on each other. Levels are for display: a run does not wait for a level to finish.
func (g *Graph) Levels() [][]StageID {
	if g.Len() == 0 {
		return nil
	}
	groups := make([][]StageID, g.maximum+1)
	for s, level := range g.levels {
		groups[level] = append(groups[level], StageID(s))
	}
	return groups
}

// Remaining returns for every stage the number of stages on the longest path from it to a leaf,
// including the stage. A scheduler that prefers high numbers shortens the run.
func (g *Graph) Remaining() []uint32 {
	remaining := make([]uint32, g.Len())
	for _, s := range slices.Backward(g.order) {
		var longest uint32
		for _, out := range g.outs.of(s) {
			longest = max(longest, remaining[out])
		}
		remaining[s] = longest + 1
	}

	return remaining
}

// CriticalPath returns the path from a root to a leaf with the highest sum of weights, and that
// sum. Weights may have any unit, such as nanoseconds, and must not be negative.
func (g *Graph) CriticalPath(weight func(StageID) int64) ([]StageID, int64) {
	if g.Len() == 0 {
		return nil, 0
	}

	total := make([]int64, g.Len()) // of the heaviest path that ends in the stage
	from := make([]StageID, g.Len())
	end := g.order[0]
	for _, s := range g.order {
		from[s] = s
		var heaviest int64
		for _, d := range g.deps.of(s) {
			if from[s] == s || total[d] > heaviest {
				heaviest, from[s] = total[d], d
			}
		}

		total[s] = heaviest + weight(s)

		// >= and not >: later stages may weigh nothing, and the path must end at a leaf.
		if total[s] >= total[end] {
			end = s
		}
	}

	path := []StageID{end}
	for s := end; from[s] != s; s = from[s] {
		path = append(path, from[s])
	}

	slices.Reverse(path)
	return path, total[end]
}
