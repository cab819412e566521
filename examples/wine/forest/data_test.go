package forest

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReadCSV(t *testing.T) {
	got, err := ReadCSV(strings.NewReader("class,a,b\n0,1.5,-2\n\n2,3,4e1\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Dataset{
		Features: []string{"a", "b"},
		Classes:  3,
		Samples:  []Sample{{X: []float64{1.5, -2}, Y: 0}, {X: []float64{3, 40}, Y: 2}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReadCSVSaysWhatIsWrongAndWhere(t *testing.T) {
	for name, c := range map[string]struct{ csv, want string }{
		"empty file":         {"", "want class and then the features"},
		"other first column": {"alcohol,class\n1,0\n", `line 1: header is ["alcohol" "class"], want class and then the features`},
		"no features":        {"class\n0\n", "line 1"},
		"no rows":            {"class,a\n", "no rows"},
		"a field too few":    {"class,a,b\n0,1,2\n0,1\n", "line 3: wrong number of fields"},
		"class not a number": {"class,a\n0,1\nred,1\n", `line 3: class is "red"`},
		"negative class":     {"class,a\n-1,1\n", `line 2: class is "-1"`},
		"absurd class":       {"class,a\n1000000000,1\n", `line 2: class is "1000000000"`},
		"feature missing":    {"class,a,b\n0,1,\n", `line 2: b is ""`},
		"NaN":                {"class,a\n\n0,NaN\n", `line 3: a is "NaN"`},
		"infinite":           {"class,a\n0,Inf\n", `line 2: a is "Inf"`},
		"too large":          {"class,a\n0,1e999\n", `line 2: a is "1e999"`},
		"stray quote":        {"class,a\n0,1\n0,\"1\n", "line 3"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := ReadCSV(strings.NewReader(c.csv))
			if err == nil {
				t.Fatalf("accepted as %+v", d)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

func TestSplitKeepsEverySampleAndTheShareOfEachClass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Dataset{Classes: rapid.IntRange(1, 4).Draw(t, "classes")}
		for i, y := range rapid.SliceOf(rapid.IntRange(0, d.Classes-1)).Draw(t, "ys") {
			d.Samples = append(d.Samples, Sample{X: []float64{float64(i)}, Y: y})
		}
		share := rapid.Float64Range(0.01, 0.99).Draw(t, "share")
		seed := rapid.Uint64().Draw(t, "seed")
		train, test, err := Split(d, share, seed)
		if err != nil {
			t.Fatal(err)
		}

		all := slices.Concat(train, test)
		slices.SortFunc(all, func(a, b Sample) int { return int(a.X[0] - b.X[0]) })
		if !slices.EqualFunc(all, d.Samples, func(a, b Sample) bool { return a.X[0] == b.X[0] && a.Y == b.Y }) {
			t.Fatalf("train and test together hold %v, want %v", all, d.Samples)
		}
		total, tested := countEach(d.Samples, d.Classes), countEach(test, d.Classes)
		for class, n := range total {
			off := math.Abs(float64(tested[class]) - share*float64(n))
			if n > 0 && (tested[class] == n || off > 0.5+1e-9 && tested[class] != n-1) {
				t.Fatalf("class %d: %d of %d tested, share %v", class, tested[class], n, share)
			}
		}
		againTrain, againTest, _ := Split(d, share, seed)
		if !reflect.DeepEqual([][]Sample{train, test}, [][]Sample{againTrain, againTest}) {
			t.Fatal("the same arguments gave another split")
		}
	})
}

func TestSplitDependsOnTheSeed(t *testing.T) {
	wines := readWine(t)
	_, one, _ := Split(wines, 0.2, 1)
	_, two, _ := Split(wines, 0.2, 2)
	if len(one) != 36 || reflect.DeepEqual(one, two) {
		t.Errorf("seeds 1 and 2 gave test parts of %d and %d wines, want 36 different ones", len(one), len(two))
	}
}

func TestSplitRefusesAShareThatLeavesAPartEmpty(t *testing.T) {
	for _, share := range []float64{0, 1, -0.2, 20, math.NaN(), math.Inf(1)} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			if _, _, err := Split(readWine(t), share, 1); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestMinMaxScalesByTheTrainingPartOnly(t *testing.T) {
	train := []Sample{{X: []float64{10, 7}, Y: 0}, {X: []float64{20, 7}, Y: 1}, {X: []float64{15, 7}, Y: 1}}
	scaler := MinMax(train)
	got := scaler.Apply(append(train, Sample{X: []float64{30, 8}, Y: 2}))
	want := []Sample{{X: []float64{0, 0}, Y: 0}, {X: []float64{1, 0}, Y: 1}, {X: []float64{0.5, 0}, Y: 1}, {X: []float64{2, 0}, Y: 2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if train[0].X[0] != 10 {
		t.Errorf("scaling changed its input to %v", train[0].X)
	}
}
