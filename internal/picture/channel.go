package picture

import (
	"cmp"
	"fmt"
	"slices"
)

// channel routes the segments between two rows on a terminal, as in channel routing of circuits:
// down from a pin, along a track, down to a pin. Where two lines cross they are not joined. Lines
// that are drawn joined say that all vertices above come before all vertices below.
type channel struct {
	nets   []net
	tracks int
}

// net is a line that joins each of the vertices above with each of those below.
type net struct {
	above, below []pin
	track        int // -1 if the net is one vertical line
}

// pin is where a net meets a vertex.
type pin struct {
	item int32
	x    int
}

func (n *net) ends() (from, to int) {
	from = n.above[0].x
	to = n.above[0].x
	for _, pins := range [...][]pin{n.above, n.below} {
		for _, p := range pins {
			from = min(from, p.x)
			to = max(to, p.x)
		}
	}

	return from, to
}

// netsOf makes as few nets as it can of the segments below a row.
func (l *layout) netsOf(row []int32) []net {
	// Each net needs a track and characters to draw joints, so fewer nets make a smaller and
	// clearer picture.
	byStar := map[int64]*net{}
	var order []*net
	for _, i := range row {
		for _, w := range l.vertices[i].down {
			wire := l.segments[w]
			star := l.netKey(wire)
			n := byStar[star]
			if n == nil {
				n = &net{}
				byStar[star] = n
				order = append(order, n)
			}

			n.above = addPin(n.above, wire.from)
			n.below = addPin(n.below, wire.to)
		}
	}

	// Two nets with the same pins on one side say the same as one net with the pins of both on the
	// other side: every vertex above still comes before every vertex below.
	order = join(order, func(n *net) []pin { return n.below }, func(to, n *net) { to.above = append(to.above, n.above...) })
	order = join(order, func(n *net) []pin { return n.above }, func(to, n *net) { to.below = append(to.below, n.below...) })
	nets := make([]net, len(order))
	for i, n := range order {
		nets[i] = *n
	}
	return nets
}

// netKey says at which end a segment shares its net with others. A lane has only one pin, so there
// is no choice at a lane's busy end.
func (l *layout) netKey(w segment) int64 {
	// A net that is shared at the busier end has more segments, so there are fewer nets.
	in := len(l.vertices[w.to].up)
	out := len(l.vertices[w.from].down)
	toTarget := in > out
	switch {
	case l.isDummy(w.to) && in > 1:
		toTarget = true
	case l.isDummy(w.from) && out > 1:
		toTarget = false
	}

	// The two kinds of keys must not meet, so those of targets are negative.
	if toTarget {
		return -1 - int64(w.to)
	}

	return int64(w.from)
}

func addPin(pins []pin, item int32) []pin {
	if slices.ContainsFunc(pins, func(p pin) bool { return p.item == item }) {
		return pins
	}
	return append(pins, pin{item: item})
}

// join makes one net of those with the same pins on one side.
func join(nets []*net, side func(*net) []pin, into func(to, n *net)) []*net {
	known := map[string]*net{}
	return slices.DeleteFunc(nets, func(n *net) bool {
		// The same pins may have come in another order. Their columns are not known yet, and are
		// all 0.
		pins := slices.Clone(side(n))
		slices.SortFunc(pins, func(a, b pin) int { return cmp.Compare(a.item, b.item) })
		key := fmt.Sprint(pins)
		if to := known[key]; to != nil {
			into(to, n)
			return true
		}

		known[key] = n
		return false
	})
}

// layTracks gives each net that needs one a track, the first being the topmost, so that few lines
// cross.
func (c *channel) layTracks() {
	var bent []*net
	for i := range c.nets {
		n := &c.nets[i]
		// A net that is one vertical line needs no track.
		n.track = -1
		if from, to := n.ends(); from < to {
			bent = append(bent, n)
		}
	}

	// The pairwise order is not transitive, which the package slices requires. Bubble sort ends
	// anyway, after as many rounds as there are nets. At most 40 stages are drawn, so its cost does
	// not matter.
	for range bent {
		for k := 0; k+1 < len(bent); k++ {
			if crossingsIfAbove(bent[k+1], bent[k]) < crossingsIfAbove(bent[k], bent[k+1]) {
				bent[k], bent[k+1] = bent[k+1], bent[k]
			}
		}
	}

	// Nets that do not overlap share a track, as in the left-edge algorithm.
	for k, n := range bent {
		n.track = 0
		for _, before := range bent[:k] {
			if overlap(before, n) {
				n.track = max(n.track, before.track+1)
			}
		}
		c.tracks = max(c.tracks, n.track+1)
	}
}

// crossingsIfAbove counts the crossings of two nets if the track of a is above that of b.
func crossingsIfAbove(a, b *net) int {
	count := 0
	aFrom, aTo := a.ends()
	bFrom, bTo := b.ends()

	// A line down from the upper track crosses the lower track, and a line up from the lower one
	// the upper.
	for _, p := range a.below {
		if bFrom <= p.x && p.x <= bTo {
			count++
		}
	}

	for _, p := range b.above {
		if aFrom <= p.x && p.x <= aTo {
			count++
		}
	}

	return count
}

func overlap(a, b *net) bool {
	aFrom, aTo := a.ends()
	bFrom, bTo := b.ends()
	return aFrom <= bTo && bFrom <= aTo
}

// draw paints the channel from line y on, tracks and then arrows.
func (c *channel) draw(to *canvas, y int, lane func(int32) bool) {
	// Tracks come first: the vertical lines are drawn over them. So a crossing looks like a line
	// that is interrupted, never like a joint.
	bottom := y + c.tracks
	for i := range c.nets {
		c.nets[i].drawTrack(to, y)
	}

	for i := range c.nets {
		n := &c.nets[i]
		for _, p := range n.above {
			last := y + n.track - 1
			if n.track < 0 {
				last = bottom
			}
			to.vertical(p.x, y, last)
		}

		for _, p := range n.below {
			to.vertical(p.x, y+n.track+1, bottom)
			if !lane(p.item) {
				to.text(p.x, bottom, "▼")
			}
		}
	}
}

func (n *net) drawTrack(to *canvas, y int) {
	if n.track < 0 {
		return
	}

	from, until := n.ends()
	for x := from; x <= until; x++ {
		arms := left | right
		if x == from {
			arms &^= left
		}

		if x == until {
			arms &^= right
		}

		// The pins of the net itself are its joints.
		at := func(p pin) bool { return p.x == x }
		if slices.ContainsFunc(n.above, at) {
			arms |= up
		}

		if slices.ContainsFunc(n.below, at) {
			arms |= down
		}

		to.text(x, y+n.track, strokes[arms])
	}
}
