package picture

// Edges that pass rows between their ends do so in lanes: straight, with room to both sides. All
// long edges of one node share one lane, from which they leave (or which they enter) one by one;
// this keeps a fan of a hundred edges readable, and the number of items within nodes times rows.

// span is a lane: the rows it passes, and whose it is.
type span struct {
	bundle      int32
	top, bottom int
}

// lanesOf returns the lanes for edges between nodes in the given rows.
func lanesOf(rows []int, edges []edge) []span {
	spans := make([]span, 2*len(rows))
	bundle := newBundles(rows, edges)
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

// bundles decide at which end an edge is bundled with others: where more of them meet.
type bundles struct {
	rows    []int
	in, out []int // long edges per node
}

func newBundles(rows []int, edges []edge) bundles {
	b := bundles{rows, make([]int, len(rows)), make([]int, len(rows))}
	for _, e := range edges {
		if b.long(e) {
			b.in[e.to]++
			b.out[e.from]++
		}
	}
	return b
}

func (b bundles) long(e edge) bool { return b.rows[e.to]-b.rows[e.from] > 1 }

// of returns the bundle: twice the node for the edges that lead to it, and one more for those that
// lead from it.
func (b bundles) of(e edge) int32 {
	if b.long(e) && b.in[e.to] > b.out[e.from] {
		return 2 * e.to
	}
	return 2*e.from + 1
}

// connect adds the lanes and the wires.
func (l *layout) connect(edges []edge) {
	rows := make([]int, len(l.items))
	for i := range rows {
		rows[i] = l.items[i].row
	}

	first := make([]int32, 2*len(rows)) // item of each bundle's lane
	for _, s := range lanesOf(rows, edges) {
		first[s.bundle] = l.addLane(s)
	}

	bundle := newBundles(rows, edges)
	for _, e := range edges {
		w := wire{e.from, e.to, e.count, bundle.of(e)}
		if bundle.long(e) {
			lane := first[w.bundle]
			if w.bundle%2 == 0 {
				w.to = lane + int32(rows[e.from]+1-l.items[lane].row)
			} else {
				w.from = lane + int32(rows[e.to]-1-l.items[lane].row)
			}
		}

		l.addWire(w)
		l.via = append(l.via, w.bundle)
	}
}

// addLane returns the lane's topmost item; the others follow it.
func (l *layout) addLane(s span) int32 {
	first := int32(len(l.items))
	for row := s.top; row <= s.bottom; row++ {
		l.items = append(l.items, item{row: row, width: l.gaps.wire, next: -1})
		if row > s.top {
			i := int32(len(l.items) - 1)
			l.items[i-1].next = i
			l.addWire(wire{i - 1, i, 0, s.bundle})
		}
	}

	node := s.bundle / 2
	last := int32(len(l.items) - 1)
	if s.bundle%2 == 0 {
		l.addWire(wire{last, node, 0, s.bundle})
	} else {
		l.addWire(wire{node, first, 0, s.bundle})
	}

	return first
}

func (l *layout) addWire(w wire) {
	i := int32(len(l.wires))
	l.wires = append(l.wires, w)
	l.items[w.from].down = append(l.items[w.from].down, i)
	l.items[w.to].up = append(l.items[w.to].up, i)
}
