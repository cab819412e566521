package forest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Tree is a decision tree in one flat array, each node before its children. Node 0 is the root.
type Tree struct {
	Nodes []Node `json:"nodes"`
}

// Node is a question or a leaf. A question sends x[Feature] <= Threshold to the next node of the
// array and anything else to node Right. A leaf has Right 0, because the root is the child of no
// node.
type Node struct {
	Feature   int     `json:"feature,omitempty"`
	Threshold float64 `json:"threshold,omitempty"`
	Right     int     `json:"right,omitempty"`
	Class     int     `json:"class,omitempty"` // the answer of a leaf
}

// Predict returns the class of x, which must have the features the tree was grown on.
func (t Tree) Predict(x []float64) int {
	at := 0
	for t.Nodes[at].Right != 0 {
		if n := t.Nodes[at]; x[n.Feature] <= n.Threshold {
			at++
		} else {
			at = n.Right
		}
	}

	return t.Nodes[at].Class
}

// Grow grows tree number index of a forest on a bootstrap sample of train, asking at each node the
// question of lowest Gini impurity among sqrt(features) random features, until the leaves are pure.
// Every Y of train is in [0, classes). Its randomness comes from seed and index alone, so trees may
// be grown in any order and in different processes. It only reads train.
func Grow(train []Sample, classes int, seed uint64, index int) Tree {
	g := grower{rng: rand.New(rand.NewPCG(seed, uint64(index))), classes: classes}
	bag := make([]Sample, len(train))
	// Drawing with replacement makes the trees differ, which is what a forest averages over.
	for i := range bag {
		bag[i] = train[g.rng.IntN(len(train))]
	}
	g.grow(bag)
	return Tree{Nodes: g.nodes}
}

// grower is one tree while it grows.
type grower struct {
	rng     *rand.Rand
	classes int
	nodes   []Node
}

// grow appends the subtree for bag, which it may reorder.
func (g *grower) grow(bag []Sample) {
	at := len(g.nodes)
	counts := countEach(bag, g.classes)
	class := majority(counts)
	// The node takes its place before its children, and becomes a question once the first child is
	// complete: only then is the index of the second one known.
	g.nodes = append(g.nodes, Node{Class: class})
	if counts[class] == len(bag) {
		return
	}

	q, ok := g.ask(bag)
	if !ok {
		return
	}

	sortBy(bag, q.feature)
	g.grow(bag[:q.left])
	g.nodes[at] = Node{Feature: q.feature, Threshold: q.threshold, Right: len(g.nodes)}
	g.grow(bag[q.left:])
}

// question divides a bag in two: the first left samples by feature, which are <= threshold, and the
// rest.
type question struct {
	feature   int
	threshold float64
	left      int
	purity    float64
}

// ask returns the purest question on sqrt(features) random features. If none of them divides bag it
// goes on to the remaining ones; ok is false when all samples are alike.
func (g *grower) ask(bag []Sample) (best question, ok bool) {
	features := len(bag[0].X)
	enough := max(1, int(math.Sqrt(float64(features))))
	for tried, feature := range g.rng.Perm(features) {
		if tried >= enough && ok {
			break
		}
		if q, divides := purest(bag, feature, g.classes); divides && q.purity > best.purity {
			best = q
			ok = true
		}
	}

	return best, ok
}

// purest returns the question of lowest Gini impurity on one feature; ok is false when the feature
// is constant.
//
// For n samples, n_c of them of class c, n times the Gini impurity is n - sum(n_c^2)/n. The n of
// both sides is fixed, so the best question has the highest sum of sum(n_c^2)/n over its sides:
// whole numbers but for two divisions, hence the same on every processor.
func purest(bag []Sample, feature, classes int) (best question, ok bool) {
	sortBy(bag, feature)
	left := make([]int, classes)
	right := countEach(bag, classes)
	leftSq := 0
	rightSq := 0
	for _, n := range right {
		rightSq += n * n
	}

	for i := 1; i < len(bag); i++ {
		moved := bag[i-1].Y
		leftSq += 2*left[moved] + 1
		rightSq -= 2*right[moved] - 1
		left[moved]++
		right[moved]--
		low := bag[i-1].X[feature]
		high := bag[i].X[feature]
		if low == high {
			continue
		}

		purity := float64(leftSq)/float64(i) + float64(rightSq)/float64(len(bag)-i)
		if purity > best.purity {
			best = question{feature, between(low, high), i, purity}
			ok = true
		}
	}

	return best, ok
}

// between returns t with low <= t < high, half-way where the numbers leave room.
func between(low, high float64) float64 {
	if t := low/2 + high/2; t < high { // halved first: the sum of two huge values would overflow
		return t
	}
	return low
}

func sortBy(bag []Sample, feature int) {
	slices.SortFunc(bag, func(a, b Sample) int { return cmp.Compare(a.X[feature], b.X[feature]) })
}

// majority returns the index of the highest count, the lowest such index if several tie.
func majority(counts []int) int {
	best := 0
	for i, n := range counts {
		if n > counts[best] {
			best = i
		}
	}
	return best
}
