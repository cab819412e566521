package picture

import (
	"cmp"
	"slices"
)

// ordering is the phase of a layout that decides which vertex stands beside which in a row.
type ordering struct{ *layout }

// order sorts each row so that few segments cross. To find the fewest is NP-hard even for two rows,
// so this is the usual heuristic of Sugiyama: barycentre sweeps down and up, then swaps of
// neighbours. A sweep costs O(E log V).
func (l ordering) order() {
	// A sweep only finds the best order near its start. Depth first keeps subtrees together, which
	// draws a tree without a crossing. The order of the file suits layers that are wired alike.
	best := l.rows
	least := -1
	for _, start := range [...][][]int32{l.discovered(), l.numbered()} {
		l.rows = start
		rows, crossings := l.sweep()
		if least < 0 || crossings < least {
			best = rows
			least = crossings
		}
	}

	l.rows = best
	// Barycentres leave vertices with the same mean in any order. Swaps decide between those.
	l.swap()
}

// empty returns as many empty rows as the layout has.
func (l ordering) empty() [][]int32 {
	rows := 0
	for i := range l.vertices {
		rows = max(rows, l.vertices[i].row+1)
	}
	return make([][]int32, rows)
}

// numbered is the order in which vertices were made.
func (l ordering) numbered() [][]int32 {
	rows := l.empty()
	for i := range l.vertices {
		rows[l.vertices[i].row] = append(rows[l.vertices[i].row], int32(i))
	}
	return rows
}

// discovered is the order in which a walk along the segments, depth first, meets the vertices.
func (l ordering) discovered() [][]int32 {
	rows := l.empty()
	seen := make([]bool, len(l.vertices))
	// The stack is explicit: a chain is as deep as it has stages.
	var stack []int32
	for start := range l.vertices {
		stack = append(stack, int32(start))
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[i] {
				continue
			}

			seen[i] = true
			it := &l.vertices[i]
			rows[it.row] = append(rows[it.row], i)
			// The last one pushed is visited first, and that must be the first child.
			for _, w := range slices.Backward(it.down) {
				stack = append(stack, l.segments[w].to)
			}
		}
	}

	return rows
}

// sweep improves the rows until that fails several times in succession, and returns the best ones
// with their crossings.
func (l ordering) sweep() (best [][]int32, least int) {
	// A pass often makes the picture worse before a later one makes it better. So the sweep
	// continues after a failed pass, and keeps the best rows.
	const maxFailed = 6
	at := l.positions()
	best = clone(l.rows)
	least = l.crossings(at)
	for pass, failed := 0, 0; failed < maxFailed && least > 0; pass++ {
		// Each direction compares a row with a neighbour that was sorted just before.
		if pass%2 == 0 {
			for r := 1; r < len(l.rows); r++ {
				l.sortRow(r, at, true)
			}
		} else {
			for r := len(l.rows) - 2; r >= 0; r-- {
				l.sortRow(r, at, false)
			}
		}

		failed++
		if c := l.crossings(at); c < least {
			best = clone(l.rows)
			least = c
			failed = 0
		}
	}

	return best, least
}

func clone(rows [][]int32) [][]int32 {
	copied := make([][]int32, len(rows))
	for i, row := range rows {
		copied[i] = slices.Clone(row)
	}
	return copied
}

// positions returns each vertex's index in its row.
func (l *layout) positions() []int {
	at := make([]int, len(l.vertices))
	for _, row := range l.rows {
		for k, i := range row {
			at[i] = k
		}
	}
	return at
}

// sortRow orders a row by the mean position of what its vertices are wired to, above or below.
func (l ordering) sortRow(r int, at []int, above bool) {
	row := l.rows[r]
	mean := make(map[int32]float64, len(row))
	for k, i := range row {
		sum := 0
		n := 0
		for other := range l.neighbours(i, above) {
			sum += at[other]
			n++
		}

		// A vertex without neighbours on this side stays in its place.
		if mean[i] = float64(k); n > 0 {
			mean[i] = float64(sum) / float64(n)
		}
	}

	// A stable sort: the same input must give the same picture.
	slices.SortStableFunc(row, func(a, b int32) int { return cmp.Compare(mean[a], mean[b]) })
	for k, i := range row {
		at[i] = k
	}
}

// crossings counts pairs of segments that cross.
func (l ordering) crossings(at []int) int {
	// Two segments cross if their upper and lower ends are in opposite order. So the crossings
	// below a row are the inversions of the lower ends (Barth, Jünger and Mutzel): O(E log V), not
	// O(E²).
	total := 0
	var ends []int
	for r := 0; r+1 < len(l.rows); r++ {
		ends = ends[:0]
		for _, i := range l.rows[r] {
			begin := len(ends)
			for other := range l.neighbours(i, false) {
				ends = append(ends, at[other])
			}
			// Segments of one vertex do not cross each other: in this order they are no inversions.
			slices.Sort(ends[begin:])
		}

		total += inversions(ends, len(l.rows[r+1]))
	}

	return total
}

// inversions counts the pairs of ends, each below n, that stand in the wrong order.
func inversions(ends []int, n int) int {
	tree := make([]int, n+1) // Fenwick: how many ends so far are at most an index
	total := 0
	for seen, end := range ends {
		// Of those so far, all but the ones up to this end are to its right, and cross it.
		total += seen
		for k := end + 1; k > 0; k &= k - 1 {
			total -= tree[k]
		}
		for k := end + 1; k <= n; k += k & -k {
			tree[k]++
		}
	}

	return total
}

// swap exchanges neighbours as long as that removes crossings.
func (l ordering) swap() {
	// Each swap removes at least one crossing, so this ends by itself. The limit bounds the time
	// for large graphs.
	const passes = 12
	at := l.positions()
	for range passes {
		improved := false
		for _, row := range l.rows {
			for k := 0; k+1 < len(row); k++ {
				a := row[k]
				b := row[k+1]
				if l.pairCrossings(b, a, at) < l.pairCrossings(a, b, at) {
					row[k], row[k+1] = b, a
					at[a], at[b] = k+1, k
					improved = true
				}
			}
		}

		if !improved {
			return
		}
	}
}

// pairCrossings counts the crossings of a's segments with b's if a stands left of b.
func (l ordering) pairCrossings(a, b int32, at []int) int {
	// Quadratic in the degrees, and cheap: no picture has more than 300 nodes.
	total := 0
	for _, above := range [...]bool{true, false} {
		for x := range l.neighbours(a, above) {
			for y := range l.neighbours(b, above) {
				if at[x] > at[y] {
					total++
				}
			}
		}
	}

	return total
}
