package forest

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// drawSamples draws samples of few distinct values, so that ties, constant features and
// contradictions are common.
func drawSamples(t *rapid.T, features, classes int) []Sample {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Sample {
		value := rapid.Map(rapid.IntRange(-3, 3), func(v int) float64 { return float64(v) / 2 })
		return Sample{
			X: rapid.SliceOfN(value, features, features).Draw(t, "x"),
			Y: rapid.IntRange(0, classes-1).Draw(t, "y"),
		}
	}), 1, 40).Draw(t, "samples")
}

func TestTreesGrownInAnyOrderMakeTheSameForest(t *testing.T) {
	const classes, trees = 3, 8
	order := make([]int, trees)
	for i := range order {
		order[i] = i
	}
	rapid.Check(t, func(t *rapid.T) {
		train := drawSamples(t, rapid.IntRange(1, 6).Draw(t, "features"), classes)
		seed := rapid.Uint64().Draw(t, "seed")
		want := growAll(train, classes, seed, trees)
		got := Forest{Classes: classes, Trees: make([]Tree, trees)}
		for _, i := range rapid.Permutation(order).Draw(t, "order") {
			got.Trees[i] = Grow(train, classes, seed, i)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestTreesGrownSideBySideAndSentAsJSONMakeTheSameForest(t *testing.T) {
	wines := readWine(t)
	before, _ := json.Marshal(wines)
	want := growAll(wines.Samples, wines.Classes, 42, 16)

	sent := make([][]byte, len(want.Trees))
	var group sync.WaitGroup
	for i := range sent {
		group.Go(func() { sent[i], _ = json.Marshal(Grow(wines.Samples, wines.Classes, 42, i)) })
	}
	group.Wait()
	got := Forest{Classes: wines.Classes, Trees: make([]Tree, len(sent))}
	for i, data := range sent {
		if err := json.Unmarshal(data, &got.Trees[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("the forest gathered from JSON is not the one grown in a loop")
	}
	if after, _ := json.Marshal(wines); !slices.Equal(before, after) {
		t.Error("growing changed the training samples")
	}
}

func TestTreesDependOnSeedAndIndex(t *testing.T) {
	wines := readWine(t)
	grow := func(seed uint64, index int) Tree { return Grow(wines.Samples, wines.Classes, seed, index) }
	if reflect.DeepEqual(grow(1, 0), grow(1, 1)) {
		t.Error("trees 0 and 1 of one forest are alike")
	}
	if reflect.DeepEqual(grow(1, 0), grow(2, 0)) {
		t.Error("trees 0 of seeds 1 and 2 are alike")
	}
}

func TestTiedVotesGoToTheLowestClass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const classes = 4
		f := Forest{Classes: classes}
		counts := make([]int, classes)
		for _, class := range rapid.SliceOf(rapid.IntRange(0, classes-1)).Draw(t, "votes") {
			f.Trees = append(f.Trees, Tree{Nodes: []Node{{Class: class}}})
			counts[class]++
		}
		if got, want := f.Predict(nil), slices.Index(counts, slices.Max(counts)); got != want {
			t.Fatalf("votes per class %v: predicted %d, want %d", counts, got, want)
		}
	})
}

func TestATreeKnowsItsBagAndKeepsItsShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const classes = 3
		bag := drawSamples(t, rapid.IntRange(1, 5).Draw(t, "features"), classes)
		g := grower{rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), classes: classes}
		g.grow(slices.Clone(bag))
		tree := Tree{Nodes: g.nodes}
		for i, n := range tree.Nodes {
			if n.Right != 0 && (n.Right < i+2 || n.Right >= len(tree.Nodes)) {
				t.Fatalf("node %d of %d has its right child at %d", i, len(tree.Nodes), n.Right)
			}
		}
		for _, s := range bag {
			alike := make([]int, classes) // samples with the same features cannot be told apart
			for _, other := range bag {
				if slices.Equal(other.X, s.X) {
					alike[other.Y]++
				}
			}
			if got, want := tree.Predict(s.X), majority(alike); got != want {
				t.Fatalf("%v: predicted %d, want %d", s.X, got, want)
			}
		}
	})
}

func TestPurestQuestionHasTheLowestGiniImpurity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const classes = 3
		bag := drawSamples(t, 1, classes)
		lowest := math.Inf(1)
		for _, s := range bag {
			if impurity, divides := giniAfter(bag, s.X[0], classes); divides {
				lowest = min(lowest, impurity)
			}
		}
		q, ok := purest(bag, 0, classes)
		if ok == math.IsInf(lowest, 1) {
			t.Fatalf("divides = %v, lowest impurity %v", ok, lowest)
		}
		if got, _ := giniAfter(bag, q.threshold, classes); ok && math.Abs(got-lowest) > 1e-9 {
			t.Fatalf("threshold %v has impurity %v, the lowest is %v", q.threshold, got, lowest)
		}
	})
}

// giniAfter is the textbook impurity of bag divided at threshold, each side weighted by its size.
func giniAfter(bag []Sample, threshold float64, classes int) (impurity float64, divides bool) {
	var sides [2][]Sample
	for _, s := range bag {
		side := 0
		if s.X[0] > threshold {
			side = 1
		}
		sides[side] = append(sides[side], s)
	}
	for _, side := range sides {
		gini := 1.0
		for _, n := range countEach(side, classes) {
			p := float64(n) / float64(max(1, len(side)))
			gini -= p * p
		}
		impurity += gini * float64(len(side)) / float64(len(bag))
	}
	return impurity, len(sides[0]) > 0 && len(sides[1]) > 0
}

func TestBetweenSeparatesNeighbouringAndHugeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "low")
		high := rapid.OneOf(
			rapid.Just(math.Nextafter(low, math.Inf(1))),
			rapid.Float64Range(low, math.MaxFloat64),
		).Draw(t, "high")
		if low == high || math.IsInf(high, 1) {
			t.Skip("nothing lies between")
		}
		if got := between(low, high); got < low || got >= high {
			t.Fatalf("between(%v, %v) = %v", low, high, got)
		}
	})
}

func TestAccuracyIsTheShareOfRightAnswers(t *testing.T) {
	f := Forest{Classes: 2, Trees: []Tree{{Nodes: []Node{{Threshold: 1, Right: 2}, {Class: 0}, {Class: 1}}}}}
	test := []Sample{{X: []float64{1}, Y: 0}, {X: []float64{2}, Y: 1}, {X: []float64{3}, Y: 0}, {X: []float64{0}, Y: 0}}
	if got := f.Accuracy(test); got != 0.75 {
		t.Errorf("accuracy = %v, want 0.75", got)
	}
	if got := f.Accuracy(nil); got != 0 {
		t.Errorf("accuracy of nothing = %v, want 0", got)
	}
}
