package cli

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/internal/progress"
	"github.com/godags/godags/internal/term"
)

// stateColors are the colours of states, as the parameters of escape sequences.
var stateColors = map[string]string{
	"succeeded": "32", "ok": "32", "running": "36", "failed": "1;31", "error": "1;31", "cancelled": "35", "cancelling": "35",
	"stalled": "33", "queued": "33", "silent": "33", "unhealthy": "1;31", "warning": "33", "skipped": "2",
}

// colorizer colours states if it is true.
type colorizer bool

// form is how a command prints its result.
type form struct {
	json bool
	colorizer
	width int // of the terminal; 0 without one
}

// form checks --output and --color.
func (i invocation) form() (f form, err error) {
	if f.json, err = i.asJSON(); err != nil {
		return f, err
	}

	colours, err := i.colours()
	f.colorizer = colorizer(colours)
	f.width = i.columns()
	return f, err
}

// colours checks --color and reports whether the result is coloured.
func (i invocation) colours() (bool, error) {
	choice, err := progress.ParseColor(i.c.String("color"))
	if err != nil {
		return false, &exitError{exitUsage, err}
	}
	return choice.Enabled(i.Out, os.LookupEnv), nil
}

func (p colorizer) state(word string) string {
	hue, ok := stateColors[word]
	if !bool(p) || !ok {
		return word
	}
	return "\x1b[" + hue + "m" + word + "\x1b[0m"
}

// paragraph prints text after a label, wrapped to the terminal. Further lines start with the
// margin, which is as wide as the label.
func (f form) paragraph(out *bufio.Writer, label, margin, text string) {
	most := f.width - term.Width(margin)
	// So narrow a column is harder to read than lines that the terminal wraps.
	if most < leastColumn {
		most = 0
	}

	for line := range strings.SplitSeq(text, "\n") {
		for _, line := range term.Wrap(line, most) {
			out.WriteString(label + line + "\n")
			label = margin
		}
	}
}

// table is text in columns. The first row has their names. The column STATE is coloured.
type table [][]string

var oneLine = strings.NewReplacer("\n", " ", "\t", " ")

// print prints the table, each line after an indent. It removes control characters, and cuts what
// is too wide for the terminal.
func (t table) print(out *bufio.Writer, f form, indent string) {
	for _, row := range t {
		for i := range row {
			row[i] = oneLine.Replace(printable(row[i]))
		}
	}

	state := slices.Index(t[0], "STATE")
	widths := t.fit(f.width - len(indent))
	for _, row := range t {
		line := indent
		gap := ""
		for i, width := range widths {
			if width == 0 {
				continue
			}

			text := term.Truncate(row[i], width)
			if i == 0 { // names often differ in their last letters: the middle is cut
				text = term.Shorten(row[i], width)
			}

			line = line + gap
			gap = strings.Repeat(" ", width-term.Width(text)+2)
			// Coloured last: a colour has no width, and must not be cut off.
			if i == state {
				text = f.state(text)
			}

			line += text
		}

		out.WriteString(line + "\n")
	}
}

// leastColumn is the width to which columns may shrink.
const leastColumn = 8

// fit returns the width of each column on a terminal of so many columns; 0 means that a column is
// omitted. A run ID is never cut, because users copy it, nor is a state.
func (t table) fit(most int) []int {
	widths := make([]int, len(t[0]))
	least := make([]int, len(t[0]))
	for i, name := range t[0] {
		for _, row := range t {
			widths[i] = max(widths[i], term.Width(row[i]))
		}
		if least[i] = widths[i]; name != "STATE" && name != "RUN" {
			least[i] = min(widths[i], leastColumn)
		}
	}

	if most <= 0 {
		return widths
	}

	// The most important columns are on the left: columns are dropped from the right.
	for i := len(widths) - 1; i > 0 && tableWidth(least) > most; i-- {
		if t[0][i] != "STATE" {
			widths[i] = 0
			least[i] = 0
		}
	}

	// Then the column with the most to spare gives way, one step at a time.
	for tableWidth(widths) > most {
		widest := 0
		for i := range widths {
			if widths[i]-least[i] > widths[widest]-least[widest] {
				widest = i
			}
		}

		// Every column is as narrow as it may be: the terminal wraps the lines.
		if widths[widest] == least[widest] {
			break
		}

		widths[widest]--
	}

	return widths
}

// tableWidth returns the width of a table with columns of these widths.
func tableWidth(widths []int) int {
	sum := -2
	for _, width := range widths {
		if width > 0 {
			sum += width + 2
		}
	}
	return sum
}

// moment returns how long ago a time is, or for more than a day the local time.
func moment(t, now time.Time) string {
	switch ago := max(0, now.Sub(t)); {
	case ago < time.Minute:
		return ago.Truncate(time.Second).String() + " ago"
	case ago < 24*time.Hour:
		return strings.TrimSuffix(ago.Truncate(time.Minute).String(), "0s") + " ago"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// count returns a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
