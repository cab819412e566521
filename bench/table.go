package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// row is a line of the table.
type row struct{ what, unit, who, min, median, max, ratio string }

// rows are the lines for all series. What repeats is said once.
func (r *report) rows() (rows []row) {
	before := ""
	for _, s := range r.grouped() {
		line := row{s.What, s.Unit, s.Who, number(s.min()), number(s.median()), number(s.max()), ""}
		if mine, ok := r.find(s.What, ours); ok && s.Who != ours {
			line.ratio = times(ratio(mine, s))
		}

		// A figure has one name in the table, above its systems.
		if s.What == before {
			line.what, line.unit = "", ""
		}

		before = s.What
		rows = append(rows, line)
	}

	return rows
}

// grouped returns the series with those of one figure next to each other.
func (r *report) grouped() (grouped []series) {
	done := make(map[string]bool)
	for _, first := range r.Series {
		if done[first.What] {
			continue
		}

		done[first.What] = true
		for _, s := range r.Series {
			if s.What == first.What {
				grouped = append(grouped, s)
			}
		}
	}

	return grouped
}

var columns = row{"", "unit", "system", "min", "median", "max", "godags / it"}

// print prints the table for a terminal.
func (r *report) print(out io.Writer) error {
	var b strings.Builder
	for _, line := range append([]row{columns}, r.rows()...) {
		text := fmt.Sprintf("%-50s %-11s %-25s %10s %10s %10s  %s", line.what, line.unit, line.who, line.min, line.median, line.max, line.ratio)
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}

	for _, t := range r.judge() {
		if t.verdict != unknown {
			fmt.Fprintf(&b, "%-7s %s: %s\n", t.verdict, t.text, t.measured)
		}
	}

	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "not measured: %s\n", s)
	}

	for _, f := range r.Failed {
		fmt.Fprintf(&b, "FAILED: %s\n", f)
	}

	_, err := io.WriteString(out, b.String())
	return err
}

// number writes three digits, or all that stand before the point.
func number(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1000:
		return thousands(v)
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// thousands writes a whole number with a comma after each three digits.
func thousands(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func times(v float64) string {
	if v < 0.01 {
		return strconv.FormatFloat(v, 'g', 1, 64) + "x"
	}
	return number(v) + "x"
}
