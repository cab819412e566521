package forest

import (
	"os"
	"testing"
)

func readWine(t *testing.T) Dataset {
	t.Helper()
	file, err := os.Open("../wine.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d, err := ReadCSV(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wineAccuracy trains on 80 % of the wines and returns the accuracy on the rest.
func wineAccuracy(t *testing.T, wines Dataset, seed uint64) float64 {
	t.Helper()
	train, test, err := Split(wines, 0.2, seed)
	if err != nil {
		t.Fatal(err)
	}
	scaler := MinMax(train)
	return growAll(scaler.Apply(train), wines.Classes, seed, 100).Accuracy(scaler.Apply(test))
}

func growAll(train []Sample, classes int, seed uint64, trees int) Forest {
	f := Forest{Classes: classes}
	for i := range trees {
		f.Trees = append(f.Trees, Grow(train, classes, seed, i))
	}
	return f
}

func TestWineFileIsWhole(t *testing.T) {
	d := readWine(t)
	if len(d.Features) != 13 || d.Features[0] != "alcohol" || d.Features[12] != "proline" {
		t.Errorf("features = %q", d.Features)
	}
	counts := countEach(d.Samples, d.Classes)
	if len(counts) != 3 || counts[0] != 59 || counts[1] != 71 || counts[2] != 48 {
		t.Errorf("wines per class = %v, want [59 71 48]", counts)
	}
}

func TestWineAccuracyHoldsOverSeeds(t *testing.T) {
	wines := readWine(t)
	sum := 0.0
	for seed := uint64(1); seed <= 20; seed++ {
		sum += wineAccuracy(t, wines, seed)
	}
	if mean := sum / 20; mean < 0.93 {
		t.Errorf("mean accuracy over seeds 1 to 20 = %.4f, want >= 0.93", mean)
	}
	if accuracy := wineAccuracy(t, wines, 42); accuracy < 0.9 {
		t.Errorf("accuracy with seed 42 = %.4f, want >= 0.9", accuracy)
	}
}
