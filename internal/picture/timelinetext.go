package picture

import (
	"bufio"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/term"
)

// Marks of a bar in text. Each is one column wide.
const (
	markRun    = "█"
	markRetry  = "▒" // an attempt that another follows
	markWait   = "·"
	markFailed = "✗"
	markActive = "▸"
)

// heights are the marks of a row of several stages: how many of them were executed at once.
var heights = [...]string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// stateMarks stand before the name of a stage.
var stateMarks = [...]string{
	dag.Waiting: "·", dag.Ready: "·", dag.Running: "▸", dag.Retrying: "↻", dag.Succeeded: "✓", dag.Failed: "✗", dag.Skipped: "↷", dag.Cancelled: "⊘",
}

// hues are the colours of states, as parameters of escape sequences.
var hues = [...]string{
	dag.Waiting: "2", dag.Ready: "2", dag.Running: "36", dag.Retrying: "33", dag.Succeeded: "32", dag.Failed: "1;31", dag.Skipped: "2", dag.Cancelled: "35",
}

const (
	leastBars = 20 // columns
	mostBars  = 200
)

// textChart is a timeline with the widths of its columns.
type textChart struct {
	Timeline
	name, bars int
}

func writeTimelineText(w *bufio.Writer, t Timeline) {
	rows, left := t.rows(mostTextRows)
	writeLines(w, clean(t.Title))
	for _, note := range t.Notes {
		writeLines(w, clean(note))
	}
	if len(rows) == 0 {
		return
	}

	c := textChart{Timeline: t}
	c.fit(rows)
	w.WriteByte('\n')
	c.writeAxis(w)
	for _, r := range rows {
		c.writeRow(w, r)
	}

	if left > 0 {
		fmt.Fprintf(w, "  +%s more\n", commas(left))
	}
	fmt.Fprintf(w, "\n%s\n", term.Truncate(c.key(rows), cmp.Or(t.Width, usualWide)))
}

// fit divides the width of the terminal: names and labels get what they need, within limits, and
// the bars the rest.
func (c *textChart) fit(rows []Row) {
	label := 0
	for _, r := range rows {
		c.name = max(c.name, term.Width(clean(r.Name)))
		label = max(label, term.Width(clean(r.Label)))
	}

	// Four columns are the mark before the name and the gaps beside the bars.
	width := cmp.Or(c.Width, usualWide)
	c.name = min(c.name, max(12, width/4))
	label = min(label, width/3)
	c.bars = min(max(width-c.name-label-6, leastBars), mostBars)
}

// writeAxis writes round times above the columns where they are.
func (c *textChart) writeAxis(w *bufio.Writer) {
	const apart = 10 // columns
	line := strings.Repeat(" ", c.name+4)
	start := len(line)
	for _, at := range ticks(c.Length, c.Length*apart/time.Duration(c.bars)) {
		column := start + int(int64(at)*int64(c.bars)/int64(max(1, c.Length)))
		text := tickText(at)
		if column+len(text) > start+c.bars || len(line) > column {
			continue
		}
		line += strings.Repeat(" ", column-len(line)) + text
	}
	fmt.Fprintln(w, line)
}

func (c *textChart) writeRow(w *bufio.Writer, r Row) {
	mark := c.colour(hues[r.State], stateMarks[r.State])
	name := term.Pad(term.Shorten(clean(r.Name), c.name), c.name)
	critical := " "
	if r.Critical {
		name = c.colour("1", name)
		critical = "*"
	}

	cells := c.cells(r)
	last := c.bars
	if r.Label == "" {
		for last > 0 && cells[last-1].mark == " " {
			last--
		}
	}

	var bar strings.Builder
	for _, cell := range cells[:last] {
		bar.WriteString(c.colour(cell.hue, cell.mark))
	}

	label := ""
	if width := cmp.Or(c.Width, usualWide) - c.name - c.bars - 6; r.Label != "" && width > 0 {
		label = "  " + term.Truncate(clean(r.Label), width)
	}
	fmt.Fprintf(w, "%s%s %s %s%s\n", mark, critical, name, bar.String(), label)
}

// cell is one column of a bar.
type cell struct{ mark, hue string }

func (c *textChart) cells(r Row) []cell {
	cells := make([]cell, c.bars)
	for i := range cells {
		cells[i] = cell{mark: " "}
	}

	if r.stages > 0 {
		c.fillLoad(cells, r)
		return cells
	}

	// Attempts come after waits: a short attempt must not be covered.
	for _, b := range r.Bars {
		from, to := columnsOf(b, c.Length, c.bars)
		for i := from; i < to && b.wait(); i++ {
			cells[i] = cell{markWait, hues[b.State]}
		}
	}

	for k, b := range r.Bars {
		if b.wait() {
			continue
		}

		from, to := columnsOf(b, c.Length, c.bars)
		mark := markRun
		if k < len(r.Bars)-1 && b.State == dag.Failed {
			mark = markRetry
		}
		for i := from; i < to; i++ {
			cells[i] = cell{mark, hues[b.State]}
		}

		switch b.State {
		case dag.Failed:
			cells[to-1].mark = markFailed
		case dag.Running:
			cells[to-1].mark = markActive
		}
	}

	return cells
}

// fillLoad draws how many stages of a row were executed at once.
func (c *textChart) fillLoad(cells []cell, r Row) {
	running, waiting := r.load(c.Length, len(cells))
	most := max(1, slices.Max(running))
	for i, n := range running {
		switch {
		case n > 0:
			height := max(0, int(math.Ceil(n*float64(len(heights))/most))-1)
			cells[i] = cell{heights[min(height, len(heights)-1)], hues[r.State]}
		case waiting[i]:
			cells[i] = cell{markWait, hues[dag.Ready]}
		}
	}
}

// key explains the marks that are drawn.
func (c *textChart) key(rows []Row) string {
	parts := []string{markRun + " executed"}
	var waits, retries, loads, active, critical bool
	for _, r := range rows {
		loads = loads || r.stages > 0
		critical = critical || r.Critical
		for k, b := range r.Bars {
			waits = waits || b.wait()
			active = active || b.State == dag.Running
			retries = retries || r.stages == 0 && k < len(r.Bars)-1 && b.State == dag.Failed
		}
	}

	for _, p := range []struct {
		shown bool
		text  string
	}{
		{waits, markWait + " waiting"}, {retries, markRetry + markFailed + " failed attempt"}, {active, markActive + " still running"},
		{loads, "▁▄█ stages at once"}, {critical, "* critical path"},
	} {
		if p.shown {
			parts = append(parts, p.text)
		}
	}
	return strings.Join(parts, "   ")
}

func (c *textChart) colour(hue, text string) string {
	if !c.Colours || hue == "" || text == " " {
		return text
	}
	return "\x1b[" + hue + "m" + text + "\x1b[0m"
}
