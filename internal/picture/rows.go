package picture

import (
	"math"
	"slices"
)

// assignRows gives every node a row below all its parents, no wider than limit. A limit of 0 stands
// for the one that suits a screen best. Without any limit this is longest-path layering, by Kahn's
// algorithm in O(V+E): it has the fewest rows.
func assignRows(widths []float64, edges []edge, gaps gaps, limit float64) []int {
	if len(widths) == 0 {
		return nil
	}

	// A row that is too wide continues in the next one. The best such layering is NP-hard to find
	// (it is scheduling on a limited number of processors), so this is list scheduling, like the
	// layering of Coffman and Graham.
	f := newAdjacency(len(widths), edges)
	best := f.rows(widths, gaps.box, math.Inf(1))
	widest, _ := measure(best, widths, edges, gaps)
	// A terminal has a given width. A page does not, so the loop below looks for a good one.
	// A terminal has a given width. A page does not, so the loop below looks for a good one.
	if limit > 0 {
		if widest > limit {
			best = f.rows(widths, gaps.box, limit)
		}
		return best
	}

	least := cost(best, widths, edges, gaps)
	// Fifteen widths are tried, each in O(V+E). The widest box is added, as it needs room in any
	// case.
	for parts := 2.0; parts <= 16; parts++ {
		rows := f.rows(widths, gaps.box, widest/parts+slices.Max(widths))
		if c := cost(rows, widths, edges, gaps); c < least {
			best = rows
			least = c
		}
	}

	return best
}

// cost is how small the picture must be shown to fit on a screen, times how tangled it is.
func cost(rows []int, widths []float64, edges []edge, gaps gaps) float64 {
	// The shape of most screens.
	const aspect = 1.6
	width, lanes := measure(rows, widths, edges, gaps)

	// Edges that pass rows make a picture hard to follow, however well it fits.
	height := float64(slices.Max(rows)+1) * gaps.row
	return max(width/aspect, height) * (1 + float64(lanes)/float64(len(rows)))
}

// measure returns the width of the widest row and the number of lane items.
func measure(rows []int, widths []float64, edges []edge, gaps gaps) (widest float64, lanes int) {
	row := make([]float64, slices.Max(rows)+1)
	for i, r := range rows {
		row[r] += widths[i] + gaps.box
	}

	// A lane takes room in each row that it passes.
	for _, lane := range lanesOf(rows, edges) {
		for r := lane.top; r <= lane.bottom; r++ {
			row[r] += gaps.lane
			lanes++
		}
	}

	return slices.Max(row), lanes
}

// adjacency holds the dependents of each node, and the number of its dependencies.
type adjacency struct {
	children [][]int32
	parents  []int // how many
}

func newAdjacency(n int, edges []edge) adjacency {
	f := adjacency{make([][]int32, n), make([]int, n)}
	for _, e := range edges {
		f.children[e.from] = append(f.children[e.from], e.to)
		f.parents[e.to]++
	}
	return f
}

func (f adjacency) rows(widths []float64, gap, limit float64) []int {
	rows := make([]int, len(widths))
	waiting := slices.Clone(f.parents)
	var ready []int32
	for i, n := range waiting {
		if n == 0 {
			ready = append(ready, int32(i))
		}
	}

	// Kahn's algorithm: a node is ready when all its parents have rows.
	for row := 0; len(ready) > 0; row++ {
		taken := fit(ready, widths, gap, limit)
		var next []int32
		for _, n := range ready[:taken] {
			rows[n] = row
			for _, c := range f.children[n] {
				if waiting[c]--; waiting[c] == 0 {
					next = append(next, c)
				}
			}
		}

		// In the order of the file: the same input must give the same picture.
		slices.Sort(next)
		// New nodes come before those that did not fit, so that a chain stays together.
		ready = append(next, ready[taken:]...)
	}

	return rows
}

// fit returns how many nodes, at least one, have room in a row.
func fit(nodes []int32, widths []float64, gap, limit float64) int {
	used := 0.0
	for i, n := range nodes {
		// A box that is wider than the limit gets a row for itself. Otherwise it would never be
		// placed.
		if used += widths[n] + gap; used > limit && i > 0 {
			return i
		}
	}
	return len(nodes)
}
