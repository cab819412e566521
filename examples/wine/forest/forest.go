// Package forest is a small random forest classifier, made to be trained in pieces.
//
// Each tree depends only on the training samples, the seed and its own number, so the stages of a
// pipeline can grow trees side by side, on several machines, and gather the same [Forest] every
// time. All its types travel as JSON.
package forest

// Forest lets trees vote.
type Forest struct {
	Classes int    `json:"classes"`
	Trees   []Tree `json:"trees"`
}

// Predict returns the class most trees vote for, the lowest such class if several tie. A forest
// without trees says 0.
func (f Forest) Predict(x []float64) int {
	votes := make([]int, f.Classes)
	for _, t := range f.Trees {
		votes[t.Predict(x)]++
	}
	return majority(votes)
}

// Accuracy returns the share of test, from 0 to 1, that f predicts correctly; 0 if test is empty.
func (f Forest) Accuracy(test []Sample) float64 {
	if len(test) == 0 {
		return 0
	}

	right := 0
	for _, s := range test {
		if f.Predict(s.X) == s.Y {
			right++
		}
	}

	return float64(right) / float64(len(test))
}
