// Command testreport reads the output of `go test -json` and prints what a person wants to know of
// it: a line per package, the whole output of what failed, and what was skipped and why. With
// GODAGS_TEST_STRICT=1 a skip is a failure.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
	Key     string // of an attribute: what the test counted
	Value   string
}

type key struct{ pkg, test string }

type report struct {
	output                  map[key][]string
	passed, failed, skipped int
	skips                   map[string]int  // reason: how often
	blamed                  map[string]bool // packages with a failed test
}

func main() {
	r := report{output: make(map[key][]string), skips: make(map[string]int), blamed: make(map[string]bool)}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var e event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			fmt.Println(in.Text()) // the go command itself has something to say
			continue
		}
		r.add(e)
	}

	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}

	os.Exit(r.end(os.Getenv("GODAGS_TEST_STRICT") == "1"))
}

func (r *report) add(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Print(e.Output)
		return
	case "output":
		r.output[k] = append(r.output[k], e.Output)
		return
	case "attr":
		fmt.Printf("%-8s %s: %s: %s\n", "", e.Test, e.Key, e.Value)
		return
	case "pass", "fail", "skip":
	default:
		return
	}

	if e.Test == "" {
		r.packageEnded(e, k)
		return
	}

	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.blamed[e.Package] = true
		fmt.Print(strings.Join(r.output[k], ""))
	case "skip":
		r.skipped++
		r.skips[reason(r.output[k])]++
	}

	delete(r.output, k)
}

func (r *report) packageEnded(e event, k key) {
	word := map[string]string{"pass": "ok", "fail": "FAIL", "skip": "no tests"}[e.Action]
	if e.Action == "fail" {
		r.printUnfinished(e.Package)
		fmt.Print(strings.Join(r.output[k], ""))
		if !r.blamed[e.Package] { // it does not build, or it died
			r.failed++
		}
	}

	if e.Action != "skip" {
		fmt.Printf("%-8s %6.1fs  %s\n", word, e.Elapsed, e.Package)
	}

	delete(r.output, k)
}

// printUnfinished prints what tests have said that had not ended when their package did: one of
// them took too long, or ended the process.
func (r *report) printUnfinished(pkg string) {
	var tests []string
	for k := range r.output {
		if k.pkg == pkg && k.test != "" {
			tests = append(tests, k.test)
		}
	}

	slices.Sort(tests)
	for _, test := range tests {
		k := key{pkg, test}
		fmt.Printf("--- UNFINISHED: %s\n%s", test, strings.Join(r.output[k], ""))
		delete(r.output, k)
	}
}

// reason is what the test said when it skipped itself.
func reason(lines []string) string {
	for _, line := range lines {
		_, text, ok := strings.Cut(line, ".go:")
		if _, text, ok2 := strings.Cut(text, ": "); ok && ok2 {
			return strings.TrimSpace(text)
		}
	}
	return "no reason given"
}

func (r *report) end(strict bool) int {
	if r.skipped > 0 {
		fmt.Println("\nskipped:")
		reasons := make([]string, 0, len(r.skips))
		for text := range r.skips {
			reasons = append(reasons, text)
		}

		slices.Sort(reasons)
		for _, text := range reasons {
			fmt.Printf("  %4d x %s\n", r.skips[text], text)
		}
	}

	fmt.Printf("\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	if r.failed > 0 || strict && r.skipped > 0 {
		return 1
	}

	return 0
}
