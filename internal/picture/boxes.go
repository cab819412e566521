package picture

import (
	"cmp"
	"math"
	"slices"

	"github.com/godags/godags/internal/term"
)

// textScene is a layout in columns and lines.
type textScene struct {
	*layout
	sketch *sketch
	x      []int // per item, the column of its centre
}

// drawText draws boxes, at least one, and lines, breaking the rows so that the picture is narrow
// enough for a terminal, but not much longer. It returns nil if it is too wide for the terminal,
// even for a large one if its width is not known, or a box is too small for its lines.
func drawText(s *sketch, width int) *canvas {
	usual := usualWide
	most := mostWide
	if width > 0 {
		usual = width
		most = width
	}

	// Narrower limits break rows into several: the picture becomes longer, but may fit. There are
	// at most 40 stages, so five layouts cost little.
	var best *canvas
	least := 0
	for _, limit := range [...]int{usual - 4, 76, 60, 44, 28} {
		if limit > usual-4 {
			continue
		}

		c := newTextScene(s, float64(limit)).draw()
		if c == nil || c.width > most {
			continue
		}

		// A picture that is too wide by half is as bad as one of twice the length.
		if cost := len(c.lines) * (usual + 2*max(0, c.width-usual)); best == nil || cost < least {
			best = c
			least = cost
		}
	}

	return best
}

// draw returns the picture, or nil if a box is too small for its lines.
func (sc *textScene) draw() *canvas {
	c := &canvas{}
	for i := range sc.vertices {
		// One column more is for a lane that moves with its pin.
		c.width = max(c.width, sc.x[i]+int(sc.vertices[i].width)/2+2)
	}

	for r, row := range sc.rows {
		ch := channel{nets: sc.netsOf(row)}
		if !sc.pinAbove(row, ch.nets) || r+1 < len(sc.rows) && !sc.pinBelow(sc.rows[r+1], ch.nets) {
			return nil
		}

		// Tracks need the columns of the pins on both sides, so the next row is pinned before this
		// one is drawn.
		ch.layTracks()
		sc.drawRow(c, row, ch.nets)
		if r+1 < len(sc.rows) {
			ch.draw(c, c.grow(ch.tracks+1), sc.isDummy)
		}
	}

	return c
}

func newTextScene(s *sketch, limit float64) *textScene {
	widths := make([]float64, len(s.nodes))
	for i := range s.nodes {
		widths[i] = float64(textWidth(&s.nodes[i]))
	}
	equalizeWidths(widths)
	sc := &textScene{sketch: s, layout: newLayout(widths, s.edges, gaps{box: 3, lane: 2, wire: 1, row: 6}, limit)}
	sc.snapToColumns()
	return sc
}

// equalizeWidths makes no box narrower than the median, and all widths odd or all even. So most
// boxes look the same.
func equalizeWidths(widths []float64) {
	median := slices.Sorted(slices.Values(widths))[len(widths)/2]
	odd := 0
	for i := range widths {
		odd += int(widths[i]) % 2
		widths[i] = max(widths[i], median)
	}

	// A text is in the middle of its box if both have the same parity. The more frequent one wins.
	parity := 0
	if 2*odd > len(widths) {
		parity = 1
	}

	for i := range widths {
		if int(widths[i])%2 != parity {
			widths[i]++
		}
	}
}

func textWidth(n *node) int {
	w := term.Width(textName(n))
	for _, line := range n.details() {
		w = max(w, term.Width(line))
	}
	return w + 4
}

func textName(n *node) string { return term.Shorten(n.markedName(), 24) }

// snapToColumns rounds the centres of a layout to columns, and keeps the distances.
func (sc *textScene) snapToColumns() {
	begin, _ := sc.extent()
	sc.x = make([]int, len(sc.vertices))
	for _, row := range sc.rows {
		for k, i := range row {
			it := &sc.vertices[i]
			sc.x[i] = int(math.Round(it.x - begin - 0.5))
			// Rounding may bring two neighbours closer than allowed. From left to right, each is
			// moved away from the last.
			least := int(it.width) / 2
			if k > 0 {
				least = sc.x[row[k-1]] + int(sc.apart(row[k-1], i))
			}
			sc.x[i] = max(sc.x[i], least)
		}
	}
}

// pinAbove spreads the nets that leave each item of a row over its width.
func (sc *textScene) pinAbove(row []int32, nets []net) bool {
	return sc.spread(row, nets, func(n *net) []pin { return n.above }, func(n *net) []pin { return n.below })
}

// pinBelow does so for the nets that enter, straight down where that is possible, and never below
// another net's pin: their lines would lie on each other.
func (sc *textScene) pinBelow(row []int32, nets []net) bool {
	if !sc.spread(row, nets, func(n *net) []pin { return n.below }, func(n *net) []pin { return n.above }) {
		return false
	}

	for i := range nets {
		for k := range nets[i].below {
			if !sc.placePin(nets, i, k) {
				return false
			}
		}
	}

	return true
}

func (sc *textScene) spread(row []int32, nets []net, near, far func(*net) []pin) bool {
	pins := map[int32][]*net{}
	for i := range nets {
		for _, p := range near(&nets[i]) {
			pins[p.item] = append(pins[p.item], &nets[i])
		}
	}

	for _, item := range row {
		// In the order of their other ends, lines that leave one box do not cross.
		meeting := pins[item]
		slices.SortStableFunc(meeting, func(a, b *net) int { return cmp.Compare(sc.middle(far(a)), sc.middle(far(b))) })
		if len(meeting) > 1 && len(meeting) > int(sc.vertices[item].width)/2-1 {
			return false
		}

		for k, n := range meeting {
			side := near(n)
			p := slices.IndexFunc(side, func(p pin) bool { return p.item == item })
			// Every other column: lines in neighbouring columns look like one.
			side[p].x = sc.x[item] + 2*k - (len(meeting) - 1)
		}
	}

	return true
}

func (sc *textScene) middle(pins []pin) float64 {
	sum := 0
	for _, p := range pins {
		sum += sc.x[p.item]
	}
	return float64(sum) / float64(len(pins))
}

// placePin moves pin k below net i to a free column: one from which the net goes straight up, or
// else the nearest to where it is. A lane moves with its pin.
func (sc *textScene) placePin(nets []net, i, k int) bool {
	p := &nets[i].below[k]
	// The corners of a box are no place for a line.
	reach := int(sc.vertices[p.item].width-1)/2 - 1
	if sc.isDummy(p.item) {
		reach = 1
	}

	// A straight line is best. Otherwise the pin moves as little as possible.
	var wishes []int
	for _, above := range nets[i].above {
		wishes = append(wishes, above.x)
	}

	for d := 0; d <= 2*reach; d++ {
		wishes = append(wishes, p.x+d, p.x-d)
	}

	for _, x := range wishes {
		if abs(x-sc.x[p.item]) <= reach && free(nets, i, k, x) {
			p.x = x
			if sc.isDummy(p.item) {
				sc.x[p.item] = x
			}
			return true
		}
	}

	return false
}

// free reports whether no other net has a pin at x, and the net itself no other pin below.
func free(nets []net, i, k, x int) bool {
	for j := range nets {
		for _, p := range nets[j].above {
			if p.x == x && j != i {
				return false
			}
		}

		for m, p := range nets[j].below {
			if p.x == x && (j != i || m != k) {
				return false
			}
		}
	}

	return true
}

func abs(n int) int { return max(n, -n) }

// drawRow draws the boxes, with a joint where a net leaves, and the lanes beside them.
func (sc *textScene) drawRow(c *canvas, row []int32, nets []net) {
	height := 0
	for _, i := range row {
		if !sc.isDummy(i) {
			height = max(height, len(sc.sketch.nodes[i].details())+3)
		}
	}

	y := c.grow(height)
	for _, i := range row {
		if sc.isDummy(i) {
			c.vertical(sc.x[i], y, y+height-1)
			continue
		}

		// All boxes of a row have one height, so that lines begin on the same line of text.
		n := &sc.sketch.nodes[i]
		lines := append([]string{textName(n)}, n.details()...)
		for len(lines) < height-2 {
			lines = append(lines, "")
		}

		width := int(sc.vertices[i].width)
		c.box(sc.x[i]-width/2, y, width, lines)
	}

	for i := range nets {
		for _, p := range nets[i].above {
			if !sc.isDummy(p.item) {
				c.text(p.x, y+height-1, strokes[down|left|right])
			}
		}
	}
}
