package forest

import "slices"

// Scaler maps each feature onto [0, 1] by the range seen in training. Fit it with [MinMax].
type Scaler struct {
	Min []float64 `json:"min"`
	Max []float64 `json:"max"`
}

// MinMax fits a Scaler. Give it the training part only: a range that includes the test part would
// leak into training.
func MinMax(train []Sample) Scaler {
	if len(train) == 0 {
		return Scaler{}
	}

	s := Scaler{Min: slices.Clone(train[0].X), Max: slices.Clone(train[0].X)}
	for _, sample := range train[1:] {
		for i, v := range sample.X {
			s.Min[i] = min(s.Min[i], v)
			s.Max[i] = max(s.Max[i], v)
		}
	}

	return s
}

// Apply returns scaled copies of samples, which must have the features s was fitted on. Values
// outside the range seen in training fall outside [0, 1]; a feature that was constant in training
// becomes 0.
func (s Scaler) Apply(samples []Sample) []Sample {
	scaled := make([]Sample, len(samples))
	for i, sample := range samples {
		x := make([]float64, len(sample.X))
		for j, v := range sample.X {
			// A feature that was constant in training has no span to divide by.
			if span := s.Max[j] - s.Min[j]; span > 0 {
				x[j] = (v - s.Min[j]) / span
			}
		}
		scaled[i] = Sample{X: x, Y: sample.Y}
	}

	return scaled
}
