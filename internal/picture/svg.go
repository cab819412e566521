package picture

import (
	"bufio"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/godags/godags/internal/term"
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
	sketch        *sketch
	tops, bottoms []float64 // per row
	left          float64   // of the layout, in its own coordinates
	width, head   float64   // of the picture; height of what is above the first row
}

func writeSVG(w *bufio.Writer, in Input) error {
	s := newSketch(in, usual)
	// A badge on the border is seen at a glance, and the box stays as narrow as it was.
	for i := range s.nodes {
		s.nodes[i].pill, s.nodes[i].badge = s.nodes[i].badge, ""
	}
	drawSVG(w, s)
	return nil
}

func drawSVG(w *bufio.Writer, s *sketch) {
	sc := newScene(s)
	height := sc.head + margin
	if n := len(sc.bottoms); n > 0 {
		height = sc.bottoms[n-1] + margin
	}

	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" class="godags" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" role="img">`+"\n",
		px(sc.width), px(height))
	fmt.Fprintf(w, "<title>%s</title>\n<style>%s</style>\n", escape(s.heading()), styles())
	fmt.Fprintln(w, `<rect class="page" width="100%" height="100%"/>`)
	sc.writeHead(w)

	// Edges come before boxes, which cover their ends.
	sc.writeEdges(w)
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

	// One long name must not widen all boxes, so the common width has a limit.
	for i := range widths {
		widths[i] = max(widths[i], usual)
	}

	sc := &scene{sketch: s, layout: newLayout(widths, s.edges, gaps{box: 22, lane: 13, row: 105}, 0)}
	left, right := sc.extent()
	if len(s.nodes) == 0 {
		left = 0
		right = 0
	}

	// The titles need room too. The factors are the sizes of their fonts.
	sc.width = max(right-left+2*margin, leastSVG, pixels(shortHeading(s))*18+2*margin, pixels(s.summary())*12+2*margin)
	sc.left = left - (sc.width-(right-left))/2
	sc.head = margin + 40
	if legend := sc.legend(); len(legend) > 0 {
		sc.head = legend[len(legend)-1].y + 18
	}

	sc.stackRows()
	return sc
}

func boxWidth(n *node) float64 {
	w := pixels(shortName(n)) * nameSize * 1.06 // bold
	for _, line := range n.details() {
		w = max(w, pixels(line)*detailSize)
	}
	return math.Ceil(max(w+2*boxPadding, boxLeast))
}

func boxHeight(n *node) float64 {
	h := float64(nameSize + 2*boxPadding + lineHeight*len(n.details()))
	if n.count > 1 && len(n.counters.parts()) > 0 {
		h += 8 // the bar
	}
	return h
}

func shortHeading(s *sketch) string { return term.Shorten(s.heading(), 72) }

func shortName(n *node) string { return term.Shorten(n.name, 28) }

// stackRows sets the rows' heights: the wider the wires between two rows spread, the more space
// they get.
func (sc *scene) stackRows() {
	// A wide edge in a low gap is almost horizontal, and cannot be told from its neighbours.
	spread := make([]float64, len(sc.rows))
	for _, w := range sc.segments {
		row := sc.vertices[w.from].row
		spread[row] = max(spread[row], math.Abs(sc.vertices[w.from].x-sc.vertices[w.to].x))
	}

	y := sc.head
	for r, row := range sc.rows {
		tallest := 0.0
		for _, i := range row {
			if !sc.isDummy(i) {
				tallest = max(tallest, boxHeight(&sc.sketch.nodes[i]))
			}
		}

		sc.tops = append(sc.tops, y)
		sc.bottoms = append(sc.bottoms, y+tallest)
		y += tallest + min(44+spread[r]*0.07, 150)
	}
}

// at is where item i is, from its top to its bottom.
func (sc *scene) at(i int32) (x, top, bottom float64) {
	it := &sc.vertices[i]
	x = it.x - sc.left
	top = sc.tops[it.row]
	bottom = sc.bottoms[it.row]
	if sc.isDummy(i) {
		return x, top, bottom
	}

	spare := (bottom - top - boxHeight(&sc.sketch.nodes[i])) / 2
	return x, top + spare, bottom - spare
}

func (sc *scene) writeBox(w *bufio.Writer, i int32) {
	n := &sc.sketch.nodes[i]
	x, top, bottom := sc.at(i)
	width := sc.vertices[i].width
	class := "plain"
	if state, ok := n.counters.state(); ok {
		class = state.String()
	}

	if n.critical {
		class += " critical"
	}

	title := n.title()
	if n.pill != "" {
		title += ", " + n.pill
	}
	if n.critical {
		title += ", on the critical path"
	}
	title = strings.Join(append([]string{title}, n.hover...), "\n")
	fmt.Fprintf(w, `<g class="%s"><title>%s</title>`, class, escape(title))
	// A second box behind the first shows that this is a group.
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

	if n.pill != "" {
		writePill(w, n.pill, x+width/2, top)
	}

	fmt.Fprint(w, "</g>\n")
	if n.count > 1 {
		writeBar(w, n, x-width/2+boxPadding, y+9, width-2*boxPadding)
	}
}

func writeRect(w *bufio.Writer, x, y, width, height float64) {
	fmt.Fprintf(w, `<rect x="%s" y="%s" width="%s" height="%s" rx="8"/>`, px(x), px(y), px(width), px(height))
}

// writePill draws a badge on the upper right corner of a box.
func writePill(w *bufio.Writer, text string, right, top float64) {
	width := pixels(text)*9 + 10
	x := right + 6 - width
	fmt.Fprintf(w, `<rect class="pill" x="%s" y="%s" width="%s" height="14" rx="7"/>`, px(x), px(top-8), px(width))
	fmt.Fprintf(w, `<text class="pilltext" x="%s" y="%s">%s</text>`, px(x+width/2), px(top+2), escape(text))
}

// writeBar shows the shares of the states in a group.
func writeBar(w *bufio.Writer, n *node, x, y, width float64) {
	for _, s := range stateOrder {
		if n.counters[s] == 0 {
			continue
		}
		share := width * float64(n.counters[s]) / float64(n.count)
		fmt.Fprintf(w, `<rect class="swatch-%s" x="%s" y="%s" width="%s" height="5"/>`, s, px(x), px(y), px(share))
		x += share
	}

	if _, ok := n.counters.state(); ok {
		fmt.Fprintln(w)
	}
}

// px writes pixels with one digit after the point at most.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func escape(s string) string { return html.EscapeString(s) }
