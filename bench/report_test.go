package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
)

// example is a report of a few figures.
func example() *report {
	r := &report{Repeat: 3, Load: "0.10", Begun: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC), Versions: map[string]string{"Go": "go1"}}
	for _, v := range []float64{30_000, 60_000, 50_000} {
		r.add(ours, []figure{{layerRate, stagesPerSecond, v}})
		r.add(rawAsynq, []figure{{layerRate, stagesPerSecond, v / 5}})
		r.add(ours, []figure{{costOf(1_000), "µs", 20}, {costOf(10_000), "µs", 40}, {straggle, "x", 1.02}, {chainHop, ms, 0.05}})
	}
	return r
}

func TestMediansAndRatiosAreThoseOfAllSamples(t *testing.T) {
	i := slices.IndexFunc(example().rows(), func(r row) bool { return r.who == rawAsynq })
	want := row{"", "", rawAsynq, "6,000", "10,000", "12,000", "5.00x"}
	if got := example().rows()[i]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuantilesLieBetweenSamples(t *testing.T) {
	for _, test := range []struct {
		values      []float64
		share, want float64
	}{{[]float64{7}, 0.99, 7}, {[]float64{4, 1}, 0.5, 2.5}, {[]float64{5, 1, 3}, 0.5, 3}, {[]float64{0, 100}, 0.99, 99}} {
		if got := quantile(test.values, test.share); got != test.want {
			t.Errorf("%v of %v is %v, want %v", test.share, test.values, got, test.want)
		}
	}
}

func TestTargetsAreMetMissedOrNotMeasured(t *testing.T) {
	verdicts := make(map[string]string)
	for _, j := range example().judge() {
		verdicts[j.text] = j.verdict + ", " + j.measured
	}
	for text, want := range map[string]string{
		"50 layers of 100: at least 4 times raw Asynq":                                "met, 5.00 x",
		"a stage of a large pipeline costs at most 1.5 times as much as one of 1,000": "missed, 2.00 x",
		"straggler: makespan at most 1.05 times the critical path":                    "met, 1.02 x",
		"500 commands: at least 0.9 times ninja -j2":                                  "-, not measured",
	} {
		if verdicts[text] != want {
			t.Errorf("%s: %q, want %q", text, verdicts[text], want)
		}
	}
}

func TestAPageKeepsWhatIsNotBetweenMarkers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	const page = "# a\n<!-- machine -->\nold\n<!-- /machine -->\nb\n<!-- targets -->\n<!-- /targets -->\nc\n<!-- figures -->\n<!-- /figures -->\nd\n"
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing changes
		if err := example().writePage(path); err != nil {
			t.Fatal(err)
		}
	}
	got := read(path)
	for _, want := range []string{"# a\n<!-- machine -->\nMeasured", "<!-- /machine -->\nb\n", "<!-- /targets -->\nc\n", "| raw Asynq | 6,000 |", "<!-- /figures -->\nd\n"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") {
		t.Errorf("what was there before still is:\n%s", got)
	}
	if err := os.WriteFile(path, []byte("# a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := example().writePage(path); err == nil {
		t.Error("a page without markers is written")
	}
}

func TestTheChartIsXML(t *testing.T) {
	chart := example().chart()
	for in := xml.NewDecoder(strings.NewReader(chart)); ; {
		_, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, chart)
		}
	}

	// A hop of 0.05 ms is 20,000 stages/s.
	for _, want := range []string{"50,000", "20,000", "godags", "raw Asynq"} {
		if !strings.Contains(chart, ">"+want+"<") {
			t.Errorf("%s is not in it:\n%s", want, chart)
		}
	}
}

func TestWhatIsSavedIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := example().save(path); err != nil {
		t.Fatal(err)
	}
	r, err := readReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.figureText(), example().figureText(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestGapsGoFromTheLastOfOneToTheNextOfTheOther(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	seen := []sighting{
		{journal.StageStarted, at(0)}, {journal.StageSucceeded, at(10)}, {journal.StageStarted, at(13)},
		{journal.StageSucceeded, at(20)}, {journal.StageStarted, at(21)}, {journal.StageSucceeded, at(30)}, {journal.RunFinished, at(31)},
	}
	if got := gaps(seen, journal.StageSucceeded, journal.StageStarted); !slices.Equal(got, []float64{3, 1}) {
		t.Errorf("pick-ups: %v", got)
	}
	if got := gaps(seen, journal.StageStarted, journal.StageStarted); !slices.Equal(got, []float64{13, 8}) {
		t.Errorf("hops: %v", got)
	}
}
