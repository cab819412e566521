package picture

import (
	"iter"
	"math"
)

// layout is a drawing in rows, top to bottom. Its units are the caller's: pixels or terminal
// columns.
type layout struct {
	items []item // the nodes, in order, and then the lanes
	wires []wire
	rows  [][]int32 // items, left to right
	via   []int32   // the bundle of each edge
	boxes int       // how many of the items are nodes
	gaps  gaps
}

// item is a box, or the place where a lane passes a row.
type item struct {
	row      int
	width    float64
	x        float64 // of the centre
	up, down []int32 // wires from the row above and to the row below
	next     int32   // of a lane: its item in the row below, or -1
}

// wire joins items of neighbouring rows, and is all or part of one edge or, within a lane, of
// several.
type wire struct {
	from, to int32
	count    int   // dependencies; 0 within a lane
	bundle   int32 // see bundles.of
}

// gaps are the least distances between neighbours in a row.
type gaps struct {
	box  float64 // between boxes
	lane float64 // beside a lane
	wire float64 // width of a lane
	row  float64 // height of a row and the space below it, to choose how many rows there are
}

// newLayout arranges the edges between nodes of the given widths so that they fit in limit, or, if
// that is 0, look well on a screen.
func newLayout(widths []float64, edges []edge, gaps gaps, limit float64) *layout {
	rows := stack(widths, edges, gaps, limit)
	l := &layout{gaps: gaps, boxes: len(widths), items: make([]item, len(widths))}
	for i := range l.items {
		l.items[i] = item{row: rows[i], width: widths[i], next: -1}
	}

	l.connect(edges)
	l.order()
	l.place()
	return l
}

// lane reports whether item i is a lane's.
func (l *layout) lane(i int32) bool { return int(i) >= l.boxes }

// apart is the least distance between the centres of a and, right of it, b.
func (l *layout) apart(a, b int32) float64 {
	gap := l.gaps.box
	if l.lane(a) || l.lane(b) {
		gap = l.gaps.lane
	}
	return (l.items[a].width+l.items[b].width)/2 + gap
}

// neighbours yields the items that i is wired to, above or below it.
func (l *layout) neighbours(i int32, above bool) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		wires := l.items[i].down
		if above {
			wires = l.items[i].up
		}

		for _, w := range wires {
			other := l.wires[w].to
			if above {
				other = l.wires[w].from
			}
			if !yield(other) {
				return
			}
		}
	}
}

// wired yields the wires of i, with the item at the other end.
func (l *layout) wired(i int32) iter.Seq2[wire, int32] {
	return func(yield func(wire, int32) bool) {
		for _, w := range l.items[i].up {
			if !yield(l.wires[w], l.wires[w].from) {
				return
			}
		}

		for _, w := range l.items[i].down {
			if !yield(l.wires[w], l.wires[w].to) {
				return
			}
		}
	}
}

// extent returns where the drawing begins and ends.
func (l *layout) extent() (left, right float64) {
	left = math.Inf(1)
	right = math.Inf(-1)
	for i := range l.items {
		it := &l.items[i]
		left = min(left, it.x-it.width/2)
		right = max(right, it.x+it.width/2)
	}
	return left, right
}
