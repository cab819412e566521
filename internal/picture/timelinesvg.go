package picture

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/term"
)

// Sizes of a timeline in pixels.
const (
	timelineBars = 760 // width
	rowHeight    = 24
	barHeight    = 14
	axisHeight   = 22
)

// chart is a timeline with the places of its columns.
type chart struct {
	Timeline
	name, label float64 // widths
	top, bottom float64 // of the rows
}

func writeTimelineSVG(w *bufio.Writer, t Timeline) {
	rows, left := t.rows(mostSVGRows)
	c := chart{Timeline: t, top: margin + 24 + 17*float64(len(t.Notes)) + axisHeight + 18}
	for _, r := range rows {
		c.name = max(c.name, pixels(timelineName(r))*12)
		c.label = max(c.label, pixels(timelineLabel(r))*detailSize)
	}
	c.bottom = c.top + rowHeight*float64(len(rows))

	width := 2*margin + c.name + 14 + timelineBars + 10 + c.label
	height := c.bottom + margin + rowHeight

	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" class="godags" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" role="img">`+"\n",
		px(width), px(height))
	fmt.Fprintf(w, "<title>%s</title>\n<style>%s%s</style>\n", escape(clean(t.Title)), styles(), timelineStyles)
	fmt.Fprintln(w, `<rect class="page" width="100%" height="100%"/>`)
	fmt.Fprintf(w, `<text class="title" x="%d" y="%d">%s</text>`+"\n", margin, margin+6, escape(term.Shorten(clean(t.Title), 100)))
	for i, note := range t.Notes {
		fmt.Fprintf(w, `<text class="summary" x="%d" y="%d">%s</text>`+"\n", margin, margin+26+17*i, escape(term.Shorten(clean(note), 140)))
	}

	c.writeAxis(w)
	for i, r := range rows {
		c.writeRow(w, r, c.top+rowHeight*float64(i))
	}
	fmt.Fprintf(w, `<text class="summary" x="%d" y="%s">%s</text>`+"\n", margin, px(c.bottom+24), timelineKey(rows, left))
	fmt.Fprintln(w, "</svg>")
}

// timelineStyles are the styles that only timelines need.
const timelineStyles = `.godags .row{text-anchor:start;font-size:12px}.godags .critical{font-weight:700}
.godags .tick{font-size:10px}.godags .grid{stroke:#94a3b8;stroke-opacity:.3}
.godags .wait{opacity:.45}.godags .bar:hover{opacity:.7}
`

func timelineName(r Row) string { return term.Shorten(clean(r.Name), 36) }

func timelineLabel(r Row) string { return term.Shorten(clean(r.Label), 48) }

// timelineKey explains what is drawn.
func timelineKey(rows []Row, left int) string {
	parts := []string{"thin line: waiting"}
	if left > 0 {
		parts = append([]string{"+" + commas(left) + " more"}, parts...)
	}
	if slices.ContainsFunc(rows, func(r Row) bool { return r.stages > 0 }) {
		parts = append(parts, "height: stages at once")
	}
	if slices.ContainsFunc(rows, func(r Row) bool { return r.Critical }) {
		parts = append(parts, "bold: critical path")
	}
	return strings.Join(parts, " · ")
}

// x is where a time is.
func (c *chart) x(at time.Duration) float64 {
	return margin + c.name + 14 + timelineBars*float64(at)/float64(max(1, c.Length))
}

func (c *chart) writeAxis(w *bufio.Writer) {
	const apart = 80 // pixels
	for _, at := range ticks(c.Length, c.Length*apart/timelineBars) {
		x := px(c.x(at))
		fmt.Fprintf(w, `<path class="grid" d="M%s %sV%s"/><text class="tick summary" x="%s" y="%s">%s</text>`+"\n",
			x, px(c.top-6), px(c.bottom), x, px(c.top-12), tickText(at))
	}
}

func (c *chart) writeRow(w *bufio.Writer, r Row, y float64) {
	text := y + rowHeight/2 + 4
	class := "row summary"
	if r.Critical {
		class = "row title critical"
	}
	fmt.Fprintf(w, `<text class="%s" style="font-size:12px" x="%d" y="%s"><title>%s</title>%s</text>`,
		class, margin, px(text), escape(clean(r.Name)), escape(timelineName(r)))

	if r.stages > 0 {
		c.writeLoad(w, r, y)
	} else {
		for _, b := range r.Bars {
			c.writeBar(w, b, y)
		}
	}

	fmt.Fprintf(w, `<text class="row summary" style="font-size:11px" x="%s" y="%s">%s</text>`+"\n",
		px(margin+c.name+14+timelineBars+10), px(text), escape(timelineLabel(r)))
}

// writeBar draws an attempt as a box, and a wait as a thin line.
func (c *chart) writeBar(w *bufio.Writer, b Bar, y float64) {
	height := float64(barHeight)
	class := "bar swatch-" + b.State.String()
	if b.wait() {
		height = 4
		class += " wait"
	}

	x := c.x(b.From)
	// An attempt of a millisecond must be seen, too.
	width := max(2, c.x(b.To)-x)
	fmt.Fprintf(w, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="2"><title>%s</title></rect>`,
		class, px(x), px(y+(rowHeight-height)/2), px(width), px(height), escape(clean(b.Title)))
}

// writeLoad draws how many stages of a row were executed at once, as columns.
func (c *chart) writeLoad(w *bufio.Writer, r Row, y float64) {
	const columns = timelineBars / 4
	running, waiting := r.load(c.Length, columns)
	most := max(1, slices.Max(running))
	fmt.Fprintf(w, `<g class="bar"><title>%s: %s</title>`, escape(clean(r.Name)), escape(clean(r.Label)))
	for i, n := range running {
		height := max(1, float64(barHeight+4)*n/most)
		class := "swatch-" + r.State.String()
		switch {
		case n == 0 && waiting[i]:
			height = 2
			class = "wait swatch-" + dag.Ready.String()
		case n == 0:
			continue
		}
		fmt.Fprintf(w, `<rect class="%s" x="%s" y="%s" width="4" height="%s"/>`,
			class, px(c.x(0)+float64(4*i)), px(y+rowHeight-3-height), px(height))
	}

	fmt.Fprint(w, "</g>")
}
