package picture

import (
	"iter"
	"math"
)

// layout is a drawing in rows, top to bottom. Its units are the caller's: pixels or terminal
// columns.
type layout struct {
	vertices []vertex // the nodes, in order, and then the lanes
	segments []segment
	rows     [][]int32 // items, left to right
	via      []int32   // the bundle of each edge
	nodes    int       // how many of the items are nodes
	gaps     gaps
}

// vertex is a box, or the place where a lane passes a row.
type vertex struct {
	row      int
	width    float64
	x        float64 // of the centre
	up, down []int32 // wires from the row above and to the row below
	next     int32   // of a lane: its item in the row below, or -1
}

// segment joins vertices of neighbouring rows. It is an edge or a part of one. Within a lane it is
// a part of several.
type segment struct {
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
	rows := assignRows(widths, edges, gaps, limit)
	l := &layout{gaps: gaps, nodes: len(widths), vertices: make([]vertex, len(widths))}
	for i := range l.vertices {
		l.vertices[i] = vertex{row: rows[i], width: widths[i], next: -1}
	}

	// These are the steps of Sugiyama's framework after the layering: dummy nodes, ordering,
	// coordinates. The graph has no cycles, so the first step of the framework is not needed.
	l.connect(edges)
	ordering{l}.order()
	placement{l}.place()
	return l
}

// isDummy reports whether vertex i is a lane's.
func (l *layout) isDummy(i int32) bool { return int(i) >= l.nodes }

// apart is the least distance between the centres of a and, right of it, b.
func (l *layout) apart(a, b int32) float64 {
	// A line may pass closer to a box than another box.
	gap := l.gaps.box
	if l.isDummy(a) || l.isDummy(b) {
		gap = l.gaps.lane
	}
	return (l.vertices[a].width+l.vertices[b].width)/2 + gap
}

// neighbours yields the vertices that i is wired to, above or below it.
func (l *layout) neighbours(i int32, above bool) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		wires := l.vertices[i].down
		if above {
			wires = l.vertices[i].up
		}

		for _, w := range wires {
			other := l.segments[w].to
			if above {
				other = l.segments[w].from
			}
			if !yield(other) {
				return
			}
		}
	}
}

// incident yields the segments of i, with the vertex at the other end.
func (l *layout) incident(i int32) iter.Seq2[segment, int32] {
	return func(yield func(segment, int32) bool) {
		for _, w := range l.vertices[i].up {
			if !yield(l.segments[w], l.segments[w].from) {
				return
			}
		}

		for _, w := range l.vertices[i].down {
			if !yield(l.segments[w], l.segments[w].to) {
				return
			}
		}
	}
}

// extent returns where the drawing begins and ends.
func (l *layout) extent() (left, right float64) {
	// Boxes in different rows have different widths, so all vertices count, not only the outermost.
	left = math.Inf(1)
	right = math.Inf(-1)
	for i := range l.vertices {
		it := &l.vertices[i]
		left = min(left, it.x-it.width/2)
		right = max(right, it.x+it.width/2)
	}
	return left, right
}
