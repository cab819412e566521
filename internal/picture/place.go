package picture

import "slices"

// placement is the phase of a layout that gives every vertex its coordinates. The order in the rows
// stays.
type placement struct{ *layout }

// place gives every vertex its x: near to what it is wired to, in the order of its row, never
// closer than apart.
func (l placement) place() {
	l.pack()
	l.relax(40, false)
	runs := l.runs()
	lanes := slices.DeleteFunc(slices.Clone(runs), func(run []int32) bool { return !l.isDummy(run[0]) })
	at := l.positions()
	for range 12 {
		l.straighten(lanes, at)
		l.relax(4, true)
	}

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

		for _, i := range row {
			l.vertices[i].x -= x / 2
		}
	}
}

// relax moves row after row, down and up again, to where it is best for the rows around it. Lanes
// may be nailed to where they are.
func (l placement) relax(sweeps int, nailed bool) {
	for range sweeps {
		for r := range l.rows {
			l.pull(r, nailed)
		}
		for r := range slices.Backward(l.rows) {
			l.pull(r, nailed)
		}
	}
}

// pull moves a row to where the squares of its segments' slants, weighted by stiffness, sum to the
// least.
func (l placement) pull(r int, nailed bool) {
	var blocks []block
	row := l.rows[r]
	offset := 0.0
	for k, i := range row {
		if k > 0 {
			offset += l.apart(row[k-1], i)
		}

		x, weight := l.wish(i)
		if nailed && l.isDummy(i) {
			x = l.vertices[i].x
			weight = 1e9
		}

		blocks = append(blocks, block{x - offset, weight, 1})
		for n := len(blocks); n > 1 && blocks[n-2].x >= blocks[n-1].x; n-- {
			blocks[n-2].join(blocks[n-1])
			blocks = blocks[:n-1]
		}
	}

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

// block is a run of neighbours that touch, at the weighted mean of where they want to be. Joining
// blocks that would overlap finds the best places for a row in one pass (pool adjacent violators).
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

// wish is where its segments would have a vertex, and how much.
func (l placement) wish(i int32) (x, weight float64) {
	for w, other := range l.incident(i) {
		s := l.stiffness(w)
		// rounded here, not fused: every machine draws the same
		x += float64(s * l.vertices[other].x)
		weight += s
	}

	if weight == 0 {
		return l.vertices[i].x, 0.01
	}

	return x / weight, weight
}

// stiffness is how much a segment wants to be straight: a bend within a lane is worse than one at
// its end, and however many edges leave a lane at one place, together they must not bend it.
func (l placement) stiffness(w segment) float64 {
	switch from, to := l.isDummy(w.from), l.isDummy(w.to); {
	case from && to:
		return 8
	case from:
		return 1 / float64(len(l.vertices[w.from].down))
	case to:
		return 1 / float64(len(l.vertices[w.to].up))
	}

	return 1
}
