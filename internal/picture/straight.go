package picture

import (
	"math"
	"slices"
)

// runs returns every item once, together with those that should stand right below it: long runs
// first.
func (l *layout) runs() [][]int32 {
	follows := make([]bool, len(l.items))
	for i := range l.items {
		if next := l.follower(int32(i)); next >= 0 {
			follows[next] = true
		}
	}

	var runs [][]int32
	for i := range l.items {
		if follows[i] {
			continue
		}
		var run []int32
		for n := int32(i); n >= 0; n = l.follower(n) {
			run = append(run, n)
		}
		runs = append(runs, run)
	}

	slices.SortStableFunc(runs, func(a, b []int32) int { return len(b) - len(a) })
	return runs
}

// follower is the next item of a lane, or of a chain of boxes, or -1.
func (l *layout) follower(i int32) int32 {
	it := &l.items[i]
	if l.lane(i) {
		return it.next
	}

	if len(it.down) == 1 {
		if to := l.wires[it.down[0]].to; !l.lane(to) && len(l.items[to].up) == 1 {
			return to
		}
	}

	return -1
}

// straighten moves runs, each as one piece, to where it is best for what they are wired to, as far
// as there is room.
func (l *layout) straighten(runs [][]int32, at []int) {
	for _, run := range runs {
		for len(run) > 0 {
			run = run[l.align(run, at):]
		}
	}
}

// align gives the first items of a run, as many as there is room for, one x. It returns how many.
func (l *layout) align(run []int32, at []int) int {
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

	if n == 0 { // wedged in, but for rounding
		return 1
	}

	x := min(max(l.pulled(run[:n]), low), high)
	for _, i := range run[:n] {
		l.items[i].x = x
	}
	return n
}

// pulled is where its wires would have a run. Something that is almost there takes it: a slight
// bend looks like a mistake.
func (l *layout) pulled(run []int32) float64 {
	var sum, weight, mean float64
	for _, i := range run {
		mean += l.items[i].x / float64(len(run))
		for w, other := range l.wired(i) {
			if !slices.Contains(run, other) {
				s := l.stiffness(w)
				sum = sum + float64(s*l.items[other].x)
				weight = weight + s
			}
		}
	}

	if weight == 0 {
		return mean
	}

	x := sum / weight
	distance := l.gaps.lane
	nearest := x
	for _, i := range run {
		for _, other := range l.wired(i) {
			if d := math.Abs(l.items[other].x - x); d < distance && !slices.Contains(run, other) {
				nearest = l.items[other].x
				distance = d
			}
		}
	}

	return nearest
}

// room is how far an item could move in its row.
func (l *layout) room(i int32, at []int) (left, right float64) {
	row := l.rows[l.items[i].row]
	k := at[i]
	left = math.Inf(-1)
	right = math.Inf(1)
	if k > 0 {
		left = l.items[row[k-1]].x + l.apart(row[k-1], i)
	}

	if k+1 < len(row) {
		right = l.items[row[k+1]].x - l.apart(i, row[k+1])
	}
	return left, right
}
