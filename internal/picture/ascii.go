package picture

import (
	"bufio"
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/godags/godags/internal/term"
)

const (
	mostDrawn  = 40 // stages
	usualWide  = 80 // columns
	mostWide   = 110
	mostListed = 4 // dependencies of a stage
)

// writeASCII draws boxes and lines if that stays readable, else it lists the stages by level.
func writeASCII(w *bufio.Writer, in Input) error {
	s := newSketch(in, usual)
	key := ""
	if s.hasPath() {
		key = "* critical path"
	}
	writeLines(w, s.heading(), s.summary(), strings.Join(s.counters.parts(), ", "), key)
	if len(s.nodes) == 0 {
		return nil
	}

	w.WriteByte('\n')
	// Lines of more stages than that cannot be followed on a terminal. A list can be searched.
	if s.stages <= mostDrawn {
		if c := drawText(s, in.Width); c != nil {
			c.writeTo(w)
			return nil
		}
	}

	writeLevels(w, s, in.Width)
	return nil
}

func writeLines(w *bufio.Writer, lines ...string) {
	for _, line := range lines {
		if line != "" {
			fmt.Fprintln(w, line)
		}
	}
}

// writeLevels lists the stages: level, name, state, and what each comes after. Lines end where the
// terminal does, if its width is known.
func writeLevels(w *bufio.Writer, s *sketch, width int) {
	after := make([][]string, len(s.nodes))
	for _, e := range s.edges {
		name := term.Shorten(s.nodes[e.from].name, 32)
		if times := e.times(); times != "" {
			name += " " + times
		}
		after[e.to] = append(after[e.to], name)
	}

	rows := [][]string{{"level", "stage", "", ""}}
	if s.run != "" {
		rows[0][2] = "state"
	}

	// The number is written once for each level, which shows where a level begins.
	level := -1
	name := 48
	if width > 0 {
		name = min(name, max(12, width-26)) // and room for a state
	}

	for _, i := range s.byLevel() {
		n := &s.nodes[i]
		number := ""
		if n.level != level {
			level = n.level
			number = strconv.Itoa(level)
		}
		rows = append(rows, []string{number, term.Shorten(n.markedName(), name), detailLine(n), arrowTo(after[i])})
	}

	writeTable(w, rows, cmp.Or(width, math.MaxInt))
}

func detailLine(n *node) string {
	details := n.details()
	if len(details) < 2 {
		return strings.Join(details, "")
	}
	return details[0] + ": " + strings.Join(details[1:], ", ")
}

func arrowTo(names []string) string {
	switch rest := len(names) - mostListed; {
	case len(names) == 0:
		return ""
	case rest > 1:
		return "<- " + strings.Join(names[:mostListed], ", ") + fmt.Sprintf(" and %s more", commas(rest))
	}
	return "<- " + strings.Join(names, ", ")
}

// writeTable aligns the columns; the first one to the right. Lines are cut that are too wide.
func writeTable(w *bufio.Writer, rows [][]string, most int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for k, text := range row {
			widths[k] = max(widths[k], term.Width(text))
		}
	}

	for _, row := range rows {
		line := strings.Repeat(" ", widths[0]-term.Width(row[0])) + row[0]
		for k, text := range row[1:] {
			if widths[k+1] > 0 {
				line += "  " + text + strings.Repeat(" ", widths[k+1]-term.Width(text))
			}
		}
		fmt.Fprintln(w, term.Truncate(strings.TrimRight(line, " "), most))
	}
}
