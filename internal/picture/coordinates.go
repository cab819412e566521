package picture

import (
	"math"
	"slices"
)

// alignments returns each vertex once, in groups that should share one x: the lanes, and the chains
// of boxes. Long groups come first.
func (l placement) alignments() [][]int32 {
	follows := make([]bool, len(l.vertices))

	// Only vertices that follow no other begin a group.
	for i := range l.vertices {
		if next := l.follower(int32(i)); next >= 0 {
			follows[next] = true
		}
	}

	var runs [][]int32
	for i := range l.vertices {
		if follows[i] {
			continue
		}
		var run []int32
		for n := int32(i); n >= 0; n = l.follower(n) {
			run = append(run, n)
		}
		runs = append(runs, run)
	}

	// A long group needs the same x in many rows, so it chooses while there is still room.
	slices.SortStableFunc(runs, func(a, b []int32) int { return len(b) - len(a) })
	return runs
}

// follower returns the next vertex of a lane, or of a chain of boxes, or -1.
func (l placement) follower(i int32) int32 {
	it := &l.vertices[i]
	if l.isDummy(i) {
		return it.next
	}

	// A box with several children or parents belongs above or below their middle, not above one of
	// them.
	if len(it.down) == 1 {
		if to := l.segments[it.down[0]].to; !l.isDummy(to) && len(l.vertices[to].up) == 1 {
			return to
		}
	}

	return -1
}

// straighten gives the vertices of each group one x, the best one that the other vertices of their
// rows leave free.
func (l placement) straighten(runs [][]int32, at []int) {
	for _, run := range runs {
		// If there is no x that is free in all rows, the group is split where the room ends.
		for len(run) > 0 {
			run = run[l.align(run, at):]
		}
	}
}

// align gives the first vertices of a run, as many as there is room for, one x. It returns how
// many.
func (l placement) align(run []int32, at []int) int {
	// The rooms of the vertices are intervals. Their intersection is where all can stand.
	low := math.Inf(-1)
	high := math.Inf(1)
	n := 0
	for ; n < len(run); n++ {
		left, right := l.room(run[n], at)
		if max(low, left) > min(high, right) {
			break
		}
		low = max(low, left)
		high = min(high, right)
	}

	// A vertex always has room where it is, but for rounding. Without a step ahead, straighten
	// would not end.
	if n == 0 {
		return 1
	}

	x := min(max(l.pulled(run[:n]), low), high)
	for _, i := range run[:n] {
		l.vertices[i].x = x
	}
	return n
}

// pulled returns the place that the segments of a group pull it to. If a neighbour is almost there,
// it returns the place of the neighbour: a slight bend looks like a mistake.
func (l placement) pulled(run []int32) float64 {
	var sum, weight, mean float64
	for _, i := range run {
		mean += l.vertices[i].x / float64(len(run))
		for w, other := range l.incident(i) {
			// Segments within the group are straight in any case.
			if !slices.Contains(run, other) {
				s := l.stiffness(w)
				sum = sum + float64(s*l.vertices[other].x)
				weight = weight + s
			}
		}
	}

	if weight == 0 {
		return mean
	}

	x := sum / weight

	// "Almost" is less than the space beside a lane.
	distance := l.gaps.lane
	nearest := x
	for _, i := range run {
		for _, other := range l.incident(i) {
			if d := math.Abs(l.vertices[other].x - x); d < distance && !slices.Contains(run, other) {
				nearest = l.vertices[other].x
				distance = d
			}
		}
	}

	return nearest
}

// room is how far a vertex could move in its row.
func (l placement) room(i int32, at []int) (left, right float64) {
	row := l.rows[l.vertices[i].row]
	k := at[i]

	// The ends of a row are open: the picture is as wide as it becomes.
	left = math.Inf(-1)
	right = math.Inf(1)
	if k > 0 {
		left = l.vertices[row[k-1]].x + l.apart(row[k-1], i)
	}

	if k+1 < len(row) {
		right = l.vertices[row[k+1]].x - l.apart(i, row[k+1])
	}
	return left, right
}
