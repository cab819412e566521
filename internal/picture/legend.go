package picture

import (
	"bufio"
	"fmt"

	"github.com/godags/godags/dag"
)

// entry is a place in the legend.
type entry struct {
	state dag.State
	text  string
	x, y  float64
}

// legend tells the counts per state of a run, in as many lines as it needs.
func (sc *scene) legend() []entry {
	var entries []entry
	x := float64(margin)
	y := float64(margin + 44)
	for _, s := range stateOrder {
		if sc.sketch.counters[s] == 0 {
			continue
		}

		text := commas(sc.sketch.counters[s]) + " " + s.String()
		width := 16 + pixels(text)*12 + 14
		// An entry that is wider than the picture gets a line for itself, not an empty one before
		// it.
		if x+width > sc.width && x > margin {
			x = margin
			y = y + 20
		}

		entries = append(entries, entry{s, text, x, y})
		x += width
	}

	return entries
}

func (sc *scene) writeHead(w *bufio.Writer) {
	fmt.Fprintf(w, `<text class="title" x="%d" y="%d">%s</text>`+"\n", margin, margin+6, escape(shortHeading(sc.sketch)))
	fmt.Fprintf(w, `<text class="summary" x="%d" y="%d">%s</text>`+"\n", margin, margin+25, escape(sc.sketch.summary()))
	for _, e := range sc.legend() {
		fmt.Fprintf(w, `<rect class="swatch-%s" x="%s" y="%s" width="11" height="11" rx="3"/>`, e.state, px(e.x), px(e.y-10))
		fmt.Fprintf(w, `<text class="legend" x="%s" y="%s">%s</text>`+"\n", px(e.x+16), px(e.y), escape(e.text))
	}
}
