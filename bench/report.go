package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// The systems that others are compared with.
const (
	ours         = "godags"
	oneByOne     = "godags, each stage alone" // --batch=1 --no-fuse
	rawAsynq     = "raw Asynq"                // a slot for each of two workers, as godags
	rawAsynqMany = "raw Asynq, 10 slots"      // for each of two workers
)

// figure is one number that came out of one sample.
type figure struct {
	What  string `json:"what"`
	Unit  string `json:"unit"`
	value float64
}

// series is the same figure of one system, sampled several times.
type series struct {
	figure
	Who    string    `json:"who"`
	Values []float64 `json:"values"` // in order of time
}

// report is all that was measured.
type report struct {
	Begun    time.Time         `json:"begun"`
	Seconds  float64           `json:"seconds"` // that it took
	Full     bool              `json:"full"`    // with what takes long
	Repeat   int               `json:"repeat"`
	Load     string            `json:"load"`     // average of the last minute when it began
	Machine  []string          `json:"machine"`  // lines for people
	Versions map[string]string `json:"versions"` // of the systems
	Series   []series          `json:"series"`   // in order of experiments
	Skipped  []string          `json:"skipped"`  // what was not measured, and why
	Failed   []string          `json:"failed"`   // what went wrong
}

func readReport(path string) (*report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}

	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	return r, nil
}

func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// add adds the figures of a sample to their series.
func (r *report) add(who string, figures []figure) {
	for _, f := range figures {
		i := slices.IndexFunc(r.Series, func(s series) bool { return s.What == f.What && s.Unit == f.Unit && s.Who == who })
		if i < 0 {
			i = len(r.Series)
			r.Series = append(r.Series, series{figure: figure{What: f.What, Unit: f.Unit}, Who: who})
		}
		r.Series[i].Values = append(r.Series[i].Values, f.value)
	}
}

// skip notes what is not measured, once.
func (r *report) skip(what string) {
	if !slices.Contains(r.Skipped, what) {
		r.Skipped = append(r.Skipped, what)
	}
}

// find returns a system's series of a figure.
func (r *report) find(what, who string) (series, bool) {
	i := slices.IndexFunc(r.Series, func(s series) bool { return s.What == what && s.Who == who })
	if i < 0 {
		return series{}, false
	}
	return r.Series[i], true
}

func (s series) min() float64    { return slices.Min(s.Values) }
func (s series) max() float64    { return slices.Max(s.Values) }
func (s series) median() float64 { return quantile(s.Values, 0.5) }

// quantile returns the value below which the given share of values lies, or between two values if
// it falls between them.
func quantile(values []float64, share float64) float64 {
	// A copy: the values stay in order of time.
	sorted := slices.Sorted(slices.Values(values))
	at := share * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// ratio is the median of one series divided by that of another.
func ratio(a, b series) float64 { return a.median() / b.median() }
