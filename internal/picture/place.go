package picture

import "slices"

// placement is the phase of a layout that gives every vertex its coordinates. The order in the rows
// stays.
type placement struct{ *layout }

// place gives every vertex its x. Neighbours of a row keep their order and their least distance,
// and each vertex is near the mean of the vertices that it is connected to.
func (l placement) place() {
	// This is a relaxation, row by row. Brandes and Köpf's algorithm is linear, but it aligns a
	// vertex with its median neighbour. The mean puts a parent above the middle of its children.
	l.pack()
	l.relax(40, false)
	runs := l.alignments()
	// A bend within a lane looks worst, so lanes become straight first. They are fixed while the
	// boxes settle around them, and may move again in the next round.
	lanes := slices.DeleteFunc(slices.Clone(runs), func(run []int32) bool { return !l.isDummy(run[0]) })
	at := l.positions()
	for range 12 {
		l.straighten(lanes, at)
		l.relax(4, true)
	}

	// Chains of boxes come last. Before, each would be pulled out of line by the next sweep.
	l.straighten(runs, at)
}

// pack starts with every row as narrow as it can be, around 0.
func (l placement) pack() {
	for _, row := range l.rows {
		x := 0.0
		for k, i := range row {
			if k > 0 {
				x += l.apart(row[k-1], i)
			}
			l.vertices[i].x = x
		}

		// All rows share one centre, so that no sweep has to carry the whole picture sideways.
		for _, i := range row {
			l.vertices[i].x -= x / 2
		}
	}
}

// relax moves row after row, down and up again, to where it is best for the rows around it. If
// fixedLanes is true, lanes stay where they are.
func (l placement) relax(sweeps int, fixedLanes bool) {
	for range sweeps {
		for r := range l.rows {
			l.pull(r, fixedLanes)
		}
		for r := range slices.Backward(l.rows) {
			l.pull(r, fixedLanes)
		}
	}
}

// pull places a row so that the squares of its segments' horizontal lengths, weighted by stiffness,
// have the least sum. It takes time linear in the row.
func (l placement) pull(r int, fixedLanes bool) {
	var blocks []block
	row := l.rows[r]
	offset := 0.0
	for k, i := range row {
		// Without the least distances, "not closer than apart" becomes "not left of". What remains
		// is isotonic regression, for which pool adjacent violators is exact and linear.
		if k > 0 {
			offset += l.apart(row[k-1], i)
		}

		x, weight := l.target(i)
		if fixedLanes && l.isDummy(i) {
			x = l.vertices[i].x
			// Large, but not infinite: the means of blocks must stay finite.
			weight = 1e9
		}

		blocks = append(blocks, block{x - offset, weight, 1})
		for n := len(blocks); n > 1 && blocks[n-2].x >= blocks[n-1].x; n-- {
			blocks[n-2].join(blocks[n-1])
			blocks = blocks[:n-1]
		}
	}

	// The least distances come back in.
	offset = 0
	k := 0
	for _, b := range blocks {
		for range b.items {
			if k > 0 {
				offset += l.apart(row[k-1], row[k])
			}
			l.vertices[row[k]].x = b.x + offset
			k++
		}
	}
}

// block is a group of neighbours that touch, at the weighted mean of the places that they are
// pulled to. Blocks that would overlap are joined until none does.
type block struct {
	x, weight float64
	items     int
}

func (b *block) join(right block) {
	weight := b.weight + right.weight
	b.x = (float64(b.x*b.weight) + float64(right.x*right.weight)) / weight
	b.weight = weight
	b.items = b.items + right.items
}

// target returns the place that the segments of a vertex pull it to, and their total stiffness.
func (l placement) target(i int32) (x, weight float64) {
	for w, other := range l.incident(i) {
		// The product is rounded before it is added. A fused multiply-add, which some processors
		// have, would draw another picture.
		s := l.stiffness(w)
		x += float64(s * l.vertices[other].x)
		weight += s
	}

	// An isolated vertex stays, and gives way to any other.
	if weight == 0 {
		return l.vertices[i].x, 0.01
	}

	return x / weight, weight
}

// stiffness says how much a segment resists a bend.
func (l placement) stiffness(w segment) float64 {
	switch from, to := l.isDummy(w.from), l.isDummy(w.to); {
	// A bend in the middle of a lane is worse than one where an edge enters it. Graphviz gives such
	// segments the same weight.
	case from && to:
		return 8
	// Many edges may leave a lane at one place. Together they count as one, so that they do not
	// bend it.
	case from:
		return 1 / float64(len(l.vertices[w.from].down))
	case to:
		return 1 / float64(len(l.vertices[w.to].up))
	}

	return 1
}
