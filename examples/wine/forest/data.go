package forest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
)

// Sample is one measured thing and its class.
type Sample struct {
	X []float64 `json:"x"` // one value per feature
	Y int       `json:"y"` // class, from 0
}

// Dataset is samples with the names of their features.
type Dataset struct {
	Features []string `json:"features"`
	Classes  int      `json:"classes"` // every Y is in [0, Classes)
	Samples  []Sample `json:"samples"`
}

// maxClass bounds the counters kept per class, so that one absurd number in a file cannot exhaust
// the memory.
const maxClass = 999

// ReadCSV reads a header `class,feature,...` and then one sample per row. Classes are whole numbers
// from 0 to 999, features are finite numbers. An error in a row names its line.
func ReadCSV(r io.Reader) (Dataset, error) {
	d, err := readCSV(csv.NewReader(r))
	if err != nil {
		return Dataset{}, fmt.Errorf("read csv: %w", err)
	}
	return d, nil
}

func readCSV(rows *csv.Reader) (Dataset, error) {
	header, err := rows.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return Dataset{}, err
	}
	// An empty file has no header, and ends up here as well.
	if len(header) < 2 || header[0] != "class" {
		return Dataset{}, fmt.Errorf("line 1: header is %q, want class and then the features", header)
	}

	d := Dataset{Features: header[1:]}
	for {
		row, err := rows.Read() // its own errors, such as a wrong number of fields, name the line
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Dataset{}, err
		}

		s, err := parseRow(row, header)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return Dataset{}, fmt.Errorf("line %d: %w", line, err)
		}

		d.Samples = append(d.Samples, s)
		d.Classes = max(d.Classes, s.Y+1)
	}

	if len(d.Samples) == 0 {
		return Dataset{}, errors.New("no rows after the header")
	}

	return d, nil
}

func parseRow(row, header []string) (Sample, error) {
	y, err := strconv.Atoi(row[0])
	if err != nil || y < 0 || y > maxClass {
		return Sample{}, fmt.Errorf("class is %q, want a whole number from 0 to %d", row[0], maxClass)
	}

	x := make([]float64, len(row)-1)
	for i := range x {
		x[i], err = strconv.ParseFloat(row[i+1], 64)
		if err != nil || math.IsNaN(x[i]) || math.IsInf(x[i], 0) {
			return Sample{}, fmt.Errorf("%s is %q, want a finite number", header[i+1], row[i+1])
		}
	}

	return Sample{X: x, Y: y}, nil
}

// splitStream keeps the shuffle of [Split] apart from the randomness of every tree, whose stream is
// its index.
const splitStream = math.MaxUint64

// Split shuffles d and divides it, class by class, so that the test part holds testShare of each
// class, rounded, but never a whole class. testShare must lie between 0 and 1, both excluded. It
// depends on nothing but its arguments.
func Split(d Dataset, testShare float64, seed uint64) (train, test []Sample, err error) {
	if !(testShare > 0 && testShare < 1) { // written so that NaN is refused too
		return nil, nil, fmt.Errorf("split: test share is %v, want a number between 0 and 1", testShare)
	}

	quota := countEach(d.Samples, d.Classes)
	for class, n := range quota {
		quota[class] = min(int(math.Round(float64(n)*testShare)), n-1)
	}

	rng := rand.New(rand.NewPCG(seed, splitStream))
	for _, i := range rng.Perm(len(d.Samples)) {
		s := d.Samples[i]
		if quota[s.Y] > 0 {
			quota[s.Y]--
			test = append(test, s)
		} else {
			train = append(train, s)
		}
	}

	return train, test, nil
}

// countEach returns how many samples each class has.
func countEach(samples []Sample, classes int) []int {
	counts := make([]int, classes)
	for _, s := range samples {
		counts[s.Y]++
	}
	return counts
}
