package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// writePage replaces what is between the markers of a page, and writes the chart beside it.
func (r *report) writePage(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	// Only the parts between the markers are written by this program; people write the rest.
	page := string(text)
	for name, part := range map[string]string{"machine": r.machineText(), "targets": r.targetText(), "figures": r.figureText()} {
		if page, err = replace(page, name, part); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}

	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		return err
	}

	return os.WriteFile(strings.TrimSuffix(path, ".md")+".svg", []byte(r.chart()), 0o644)
}

// replace puts text between the markers of that name.
func replace(page, name, text string) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("it has no lines %q and %q: put them where that part is to be", strings.TrimSpace(begin), end)
	}
	return before + begin + text + end + after, nil
}

func (r *report) machineText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, in %.0f minutes, with %d samples of each figure. The load average was %s at the start.\n\n",
		r.Begun.Format("2 January 2006"), r.Seconds/60, r.Repeat, r.Load)
	for _, line := range r.Machine {
		fmt.Fprintf(&b, "- %s\n", line)
	}

	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		versions = append(versions, name+" "+r.Versions[name])
	}

	fmt.Fprintf(&b, "- %s\n", strings.Join(versions, ", "))
	return b.String()
}

func (r *report) targetText() string {
	var b strings.Builder
	b.WriteString("| target | measured | result |\n|---|---|---|\n")
	for _, j := range r.judge() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", j.text, j.measured, j.verdict)
	}
	return b.String()
}

func (r *report) figureText() string {
	var b strings.Builder
	b.WriteString("| figure | unit | system | min | median | max | godags / system |\n|---|---|---|--:|--:|--:|--:|\n")
	for _, l := range r.rows() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", l.what, l.unit, l.who, l.min, l.median, l.max, l.ratio)
	}

	for _, s := range slices.Concat(r.Skipped, r.Failed) {
		fmt.Fprintf(&b, "\nNot measured: %s.\n", s)
	}

	return b.String()
}
