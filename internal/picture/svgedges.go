package picture

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// writeEdges draws each bundle as one path: a browser highlights all of it when a pointer is on it.
func (sc *scene) writeEdges(w *bufio.Writer) {
	// A browser highlights one path at a time, so separate segments could not be shown together.
	wires := make([][]segment, 2*sc.nodes)
	edges := make([][]edge, 2*sc.nodes)
	for _, wire := range sc.segments {
		wires[wire.bundle] = append(wires[wire.bundle], wire)
	}

	for i, e := range sc.sketch.edges {
		edges[sc.via[i]] = append(edges[sc.via[i]], e)
	}

	fmt.Fprintln(w, `<g class="wires">`)
	for b := range wires {
		if len(wires[b]) > 0 {
			fmt.Fprintf(w, "<g><title>%s</title>", escape(sc.bundleTitle(b, edges[b])))
			sc.writeBundle(w, wires[b])
			fmt.Fprintln(w, "</g>")
		}
	}

	fmt.Fprintln(w, "</g>")
	sc.writePath(w, wires)
	sc.writeTimes(w)
}

// writePath draws the edges of the critical path again, thicker, over the bundles that they are in.
func (sc *scene) writePath(w *bufio.Writer, wires [][]segment) {
	for i, e := range sc.sketch.edges {
		if e.critical {
			fmt.Fprint(w, `<g class="path">`)
			sc.writeBundle(w, route(wires[sc.via[i]], e))
			fmt.Fprintln(w, "</g>")
		}
	}
}

// route returns the segments of a bundle that lead from one end of an edge to the other. A bundle
// is a tree, so that there is one way.
func route(wires []segment, e edge) (way []segment) {
	for _, wire := range wires {
		if wire.from != e.from {
			continue
		}
		if wire.to == e.to {
			return []segment{wire}
		}
		if rest := route(wires, edge{from: wire.to, to: e.to}); rest != nil {
			return append([]segment{wire}, rest...)
		}
	}
	return nil
}

// bundleTitle names the ends of the edges: "a → b, c ×2", or "a, b → c" for edges that lead to one
// node.
func (sc *scene) bundleTitle(b int, edges []edge) string {
	const most = 12
	var names []string
	for k, e := range edges {
		// "1 more" would take as much room as the name.
		if k == most && len(edges) > most+1 {
			names = append(names, commas(len(edges)-most)+" more")
			break
		}

		end := e.to
		if b%2 == 0 {
			end = e.from
		}

		names = append(names, strings.TrimSpace(sc.sketch.nodes[end].name+" "+e.times()))
	}

	node := sc.sketch.nodes[b/2].name
	if b%2 == 0 {
		return strings.Join(names, ", ") + " → " + node
	}

	return node + " → " + strings.Join(names, ", ")
}

func (sc *scene) writeBundle(w *bufio.Writer, wires []segment) {
	var lines, tips strings.Builder
	for _, wire := range wires {
		c := sc.curve(wire)
		lines.WriteString(c.path())
		if sc.isDummy(wire.to) {
			// The line passes the row, to where the next segment of the lane begins.
			_, _, bottom := sc.at(wire.to)
			fmt.Fprintf(&lines, "V%s", px(bottom))
		} else {
			fmt.Fprintf(&tips, "M%s %sl-4 -%dq4 2.5 8 0z", px(c.x1), px(c.arrive+arrow), arrow)
		}
	}

	fmt.Fprintf(w, `<path d="%s"/>`, lines.String())
	if tips.Len() > 0 {
		fmt.Fprintf(w, `<path class="tip" d="%s"/>`, tips.String())
	}
}

// curve is a segment: straight down from a box to the end of its row, bent, straight down again.
// There are no boxes between two rows, so a bend cannot touch one.
type curve struct{ x0, leave, y0, x1, y1, arrive float64 }

func (sc *scene) curve(w segment) curve {
	x0, _, leave := sc.at(w.from)
	x1, arrive, _ := sc.at(w.to)
	y0 := sc.bottoms[sc.vertices[w.from].row]
	y1 := sc.tops[sc.vertices[w.to].row]
	// The line ends where its tip begins. Otherwise it would show beside the point of the tip.
	if !sc.isDummy(w.to) {
		y1 = y1 - arrow
		arrive = arrive - arrow
	}

	return curve{x0, leave, y0, x1, y1, arrive}
}

func (c curve) path() string {
	bend := (c.y1 - c.y0) * 0.55
	x0 := px(c.x0)
	x1 := px(c.x1)
	return fmt.Sprintf("M%s %sV%sC%s %s %s %s %s %sV%s",
		x0, px(c.leave), px(c.y0), x0, px(c.y0+bend), x1, px(c.y1-bend), x1, px(c.y1), px(c.arrive))
}

// writeTimes labels edges that stand for several dependencies with their number, where there is
// room.
func (sc *scene) writeTimes(w *bufio.Writer) {
	wires := slices.DeleteFunc(slices.Clone(sc.segments), func(w segment) bool { return w.count < 2 })
	// Labels would overlap where many edges meet. The largest number says most, so it gets the room
	// first.
	slices.SortStableFunc(wires, func(a, b segment) int { return b.count - a.count })
	taken := make([][][2]float64, len(sc.rows)) // per row, from and to
	for _, wire := range wires {
		c := sc.curve(wire)
		text := edge{count: wire.count}.times()
		x := (c.x0 + c.x1) / 2
		row := sc.vertices[wire.from].row
		from := x - pixels(text)*5 - 4
		to := x + pixels(text)*5 + 4
		if slices.ContainsFunc(taken[row], func(t [2]float64) bool { return from < t[1] && t[0] < to }) {
			continue
		}

		taken[row] = append(taken[row], [2]float64{from, to})
		fmt.Fprintf(w, `<text class="times" x="%s" y="%s">%s</text>`+"\n", px(x), px((c.y0+c.y1)/2+3), escape(text))
	}
}
