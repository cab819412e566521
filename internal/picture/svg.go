package picture

import (
	"bufio"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/godags/godags/dag"
)

// Sizes in pixels.
const (
	nameSize, detailSize = 13, 11
	lineHeight           = 15
	boxPadding           = 11
	boxLeast             = 64
	stackOffset          = 4 // of the second box that makes a group
	margin               = 28
	arrow                = 7
	leastSVG             = 300 // width
)

// scene is a layout with heights.
type scene struct {
	*layout
	sketch       *sketch
	tops, bottom []float64 // per row
	left         float64   // of the layout, in its own coordinates
	width, head  float64   // of the picture; height of what is above the first row
}

func writeSVG(w *bufio.Writer, in Input) error {
	drawSVG(w, newSketch(in, usual))
	return nil
}

func drawSVG(w *bufio.Writer, s *sketch) {
	sc := newScene(s)
	height := sc.head + margin
	if n := len(sc.bottom); n > 0 {
		height = sc.bottom[n-1] + margin
	}
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" class="godags" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" role="img">`+"\n",
		px(sc.width), px(height))
	fmt.Fprintf(w, "<title>%s</title>\n<style>%s</style>\n", escape(s.heading()), styles())
	fmt.Fprintln(w, `<rect class="page" width="100%" height="100%"/>`)
	sc.writeHead(w)
	sc.writeWires(w)
	for i := range s.nodes {
		sc.writeBox(w, int32(i))
	}
	fmt.Fprintln(w, "</svg>")
}

func newScene(s *sketch) *scene {
	widths := make([]float64, len(s.nodes))
	usual := float64(boxLeast) // boxes of one width look calmer, and chains of them are straight
	for i := range s.nodes {
		widths[i] = boxWidth(&s.nodes[i])
		usual = max(usual, min(widths[i], 150))
	}
	for i := range widths {
		widths[i] = max(widths[i], usual)
	}
	sc := &scene{sketch: s, layout: newLayout(widths, s.edges, gaps{box: 22, lane: 13, row: 105}, 0)}
	left, right := sc.extent()
	if len(s.nodes) == 0 {
		left, right = 0, 0
	}
	sc.width = max(right-left+2*margin, leastSVG, pixels(s.heading())*18+2*margin, pixels(s.summary())*12+2*margin)
	sc.left = left - (sc.width-(right-left))/2
	sc.head = margin + 40
	if legend := sc.legend(); len(legend) > 0 {
		sc.head = legend[len(legend)-1].y + 18
	}
	sc.stackRows()
	return sc
}

func boxWidth(n *node) float64 {
	w := pixels(shortName(n)) * nameSize
	for _, line := range n.details() {
		w = max(w, pixels(line)*detailSize)
	}
	return math.Ceil(max(w+2*boxPadding, boxLeast))
}

func boxHeight(n *node) float64 {
	h := float64(nameSize + 2*boxPadding + lineHeight*len(n.details()))
	if n.count > 1 && len(n.tally.parts()) > 0 {
		h += 8 // the bar
	}
	return h
}

func shortName(n *node) string { return shorten(n.name, 28) }

// stackRows sets the rows' heights: the wider the wires between two rows spread, the more space they get.
func (sc *scene) stackRows() {
	spread := make([]float64, len(sc.rows))
	for _, w := range sc.wires {
		row := sc.items[w.from].row
		spread[row] = max(spread[row], math.Abs(sc.items[w.from].x-sc.items[w.to].x))
	}
	y := sc.head
	for r, row := range sc.rows {
		tallest := 0.0
		for _, i := range row {
			if !sc.lane(i) {
				tallest = max(tallest, boxHeight(&sc.sketch.nodes[i]))
			}
		}
		sc.tops = append(sc.tops, y)
		sc.bottom = append(sc.bottom, y+tallest)
		y += tallest + min(44+spread[r]*0.07, 150)
	}
}

// at is where item i is, from its top to its bottom.
func (sc *scene) at(i int32) (x, top, bottom float64) {
	it := &sc.items[i]
	x, top, bottom = it.x-sc.left, sc.tops[it.row], sc.bottom[it.row]
	if sc.lane(i) {
		return x, top, bottom
	}
	spare := (bottom - top - boxHeight(&sc.sketch.nodes[i])) / 2
	return x, top + spare, bottom - spare
}

func (sc *scene) writeBox(w *bufio.Writer, i int32) {
	n := &sc.sketch.nodes[i]
	x, top, bottom := sc.at(i)
	width := sc.items[i].width
	class := "plain"
	if state, ok := n.tally.state(); ok {
		class = state.String()
	}
	fmt.Fprintf(w, `<g class="%s"><title>%s</title>`, class, escape(n.title()))
	if n.count > 1 {
		writeRect(w, x-width/2+stackOffset, top+stackOffset, width, bottom-top)
	}
	writeRect(w, x-width/2, top, width, bottom-top)
	y := top + boxPadding + nameSize - 2
	fmt.Fprintf(w, `<text class="name" x="%s" y="%s">%s</text>`, px(x), px(y), escape(shortName(n)))
	for _, line := range n.details() {
		y += lineHeight
		fmt.Fprintf(w, `<text x="%s" y="%s">%s</text>`, px(x), px(y), escape(line))
	}
	fmt.Fprint(w, "</g>\n")
	if n.count > 1 {
		writeBar(w, n, x-width/2+boxPadding, y+9, width-2*boxPadding)
	}
}

func writeRect(w *bufio.Writer, x, y, width, height float64) {
	fmt.Fprintf(w, `<rect x="%s" y="%s" width="%s" height="%s" rx="8"/>`, px(x), px(y), px(width), px(height))
}

// writeBar shows the shares of the states in a group.
func writeBar(w *bufio.Writer, n *node, x, y, width float64) {
	for _, s := range told {
		if n.tally[s] == 0 {
			continue
		}
		share := width * float64(n.tally[s]) / float64(n.count)
		fmt.Fprintf(w, `<rect class="swatch-%s" x="%s" y="%s" width="%s" height="5"/>`, s, px(x), px(y), px(share))
		x += share
	}
	if _, ok := n.tally.state(); ok {
		fmt.Fprintln(w)
	}
}

// px writes pixels with one digit after the point at most.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func escape(s string) string { return html.EscapeString(s) }

// entry is a place in the legend.
type entry struct {
	state dag.State
	text  string
	x, y  float64
}

// legend tells the counts per state of a run, in as many lines as it needs.
func (sc *scene) legend() []entry {
	var entries []entry
	x, y := float64(margin), float64(margin+44)
	for _, s := range told {
		if sc.sketch.tally[s] == 0 {
			continue
		}
		text := commas(sc.sketch.tally[s]) + " " + s.String()
		width := 16 + pixels(text)*12 + 14
		if x+width > sc.width && x > margin {
			x, y = margin, y+20
		}
		entries = append(entries, entry{s, text, x, y})
		x += width
	}
	return entries
}

func (sc *scene) writeHead(w *bufio.Writer) {
	fmt.Fprintf(w, `<text class="title" x="%d" y="%d">%s</text>`+"\n", margin, margin+6, escape(sc.sketch.heading()))
	fmt.Fprintf(w, `<text class="summary" x="%d" y="%d">%s</text>`+"\n", margin, margin+25, escape(sc.sketch.summary()))
	for _, e := range sc.legend() {
		fmt.Fprintf(w, `<rect class="swatch-%s" x="%s" y="%s" width="11" height="11" rx="3"/>`, e.state, px(e.x), px(e.y-10))
		fmt.Fprintf(w, `<text class="legend" x="%s" y="%s">%s</text>`+"\n", px(e.x+16), px(e.y), escape(e.text))
	}
}

// styles are scoped to the picture, so that it can stand in a page.
func styles() string {
	var b strings.Builder
	b.WriteString(`
.godags{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
.godags text{font-size:11px;text-anchor:middle}
.godags .name{font-size:13px;font-weight:600}
.godags .title{font-size:18px;font-weight:600;text-anchor:start}
.godags .summary,.godags .legend{font-size:12px;text-anchor:start}
.godags .wires path{fill:none;stroke-width:1.3}
.godags .wires .tip{stroke:none}
.godags .wires g:hover path{stroke-width:2.6}
.godags .times{font-size:10px;paint-order:stroke;stroke-width:4px;stroke-linejoin:round}
.godags .failed rect{stroke-width:2.2}
.godags .waiting rect,.godags .skipped rect,.godags .cancelled rect{stroke-dasharray:5 3}
`)
	writeTheme(&b, "#ffffff", "#0f172a", "#64748b", "#94a3b8", false)
	b.WriteString("@media (prefers-color-scheme:dark){\n")
	writeTheme(&b, "#0d1117", "#f1f5f9", "#94a3b8", "#5b6778", true)
	b.WriteString("}\n")
	return b.String()
}

func writeTheme(b *strings.Builder, page, title, small, wire string, dark bool) {
	fmt.Fprintf(b, ".godags .page{fill:%s}.godags .title{fill:%s}.godags .summary,.godags .legend{fill:%s}\n", page, title, small)
	fmt.Fprintf(b, ".godags .wires path{stroke:%s}.godags .wires .tip{fill:%s}\n", wire, wire)
	fmt.Fprintf(b, ".godags .wires g:hover path{stroke:%s}.godags .wires g:hover .tip{fill:%s}\n", title, title)
	fmt.Fprintf(b, ".godags .times{fill:%s;stroke:%s}\n", small, page)
	class := func(name string, c colour) {
		fmt.Fprintf(b, ".godags .%s rect{fill:%s;stroke:%s}.godags .%s text{fill:%s}\n", name, c.fill, c.line, name, c.text)
	}
	pick := func(c struct{ light, dark colour }) colour {
		if dark {
			return c.dark
		}
		return c.light
	}
	class("plain", pick(plain))
	for s, c := range palette {
		class(dag.State(s).String(), pick(c))
		fmt.Fprintf(b, ".godags .swatch-%s{fill:%s}\n", dag.State(s), pick(c).line)
	}
}
