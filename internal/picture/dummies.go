package picture

// Edges that pass rows between their ends do so in lanes: straight, with room to both sides. All
// long edges of one node share one lane, from which they leave (or which they enter) one by one;
// this keeps a fan of a hundred edges readable, and the number of vertices within nodes times rows.

// span is a lane: the rows it passes, and whose it is.
type span struct {
	bundle      int32
	top, bottom int
}

// lanesOf returns the lanes for edges between nodes in the given rows.
func lanesOf(rows []int, edges []edge) []span {
	spans := make([]span, 2*len(rows))
	bundle := newSharedLanes(rows, edges)
	for _, e := range edges {
		top := rows[e.from] + 1
		bottom := rows[e.to] - 1
		if top > bottom {
			continue
		}

		s := &spans[bundle.of(e)]
		if s.top == 0 { // no lane passes the topmost row
			s.top = top
		}

		// The edges of a bundle share one lane, so the lane has the rows of all of them.
		s.top = min(s.top, top)
		s.bottom = max(s.bottom, bottom)
	}

	lanes := spans[:0]
	for i, s := range spans {
		if s.top > 0 {
			lanes = append(lanes, span{int32(i), s.top, s.bottom})
		}
	}

	return lanes
}

// sharedLanes decides with which other edges an edge shares its lane: with those of the end where
// more long edges meet.
type sharedLanes struct {
	rows    []int
	in, out []int // long edges per node
}

func newSharedLanes(rows []int, edges []edge) sharedLanes {
	b := sharedLanes{rows, make([]int, len(rows)), make([]int, len(rows))}
	for _, e := range edges {
		if b.long(e) {
			b.in[e.to]++
			b.out[e.from]++
		}
	}
	return b
}

func (b sharedLanes) long(e edge) bool { return b.rows[e.to]-b.rows[e.from] > 1 }

// of returns the bundle: twice the node for the edges that lead to it, and one more for those that
// lead from it.
func (b sharedLanes) of(e edge) int32 {
	// A tie goes to the node above. Either would do, but it must always be the same.
	if b.long(e) && b.in[e.to] > b.out[e.from] {
		return 2 * e.to
	}
	return 2*e.from + 1
}

// connect adds the lanes and the segments.
func (l *layout) connect(edges []edge) {
	// A copy: the lanes that are added have rows too, and are no nodes.
	rows := make([]int, len(l.vertices))
	for i := range rows {
		rows[i] = l.vertices[i].row
	}

	first := make([]int32, 2*len(rows)) // item of each bundle's lane
	for _, s := range lanesOf(rows, edges) {
		first[s.bundle] = l.addDummies(s)
	}

	bundle := newSharedLanes(rows, edges)
	for _, e := range edges {
		w := segment{e.from, e.to, e.count, bundle.of(e)}
		// The vertices of a lane are consecutive. So the place where an edge enters or leaves it
		// follows from the row.
		if bundle.long(e) {
			lane := first[w.bundle]
			if w.bundle%2 == 0 {
				w.to = lane + int32(rows[e.from]+1-l.vertices[lane].row)
			} else {
				w.from = lane + int32(rows[e.to]-1-l.vertices[lane].row)
			}
		}

		l.addSegment(w)
		l.via = append(l.via, w.bundle)
	}
}

// addDummies returns the lane's topmost vertex; the others follow it.
func (l *layout) addDummies(s span) int32 {
	first := int32(len(l.vertices))
	for row := s.top; row <= s.bottom; row++ {
		l.vertices = append(l.vertices, vertex{row: row, width: l.gaps.wire, next: -1})
		if row > s.top {
			i := int32(len(l.vertices) - 1)
			l.vertices[i-1].next = i
			// It counts no dependencies: each edge is counted where it enters or leaves the lane.
			l.addSegment(segment{i - 1, i, 0, s.bundle})
		}
	}

	node := s.bundle / 2
	last := int32(len(l.vertices) - 1)

	// The shared end of the lane is connected once. The other ends are connected edge by edge.
	if s.bundle%2 == 0 {
		l.addSegment(segment{last, node, 0, s.bundle})
	} else {
		l.addSegment(segment{node, first, 0, s.bundle})
	}

	return first
}

func (l *layout) addSegment(w segment) {
	i := int32(len(l.segments))
	l.segments = append(l.segments, w)
	l.vertices[w.from].down = append(l.vertices[w.from].down, i)
	l.vertices[w.to].up = append(l.vertices[w.to].up, i)
}
