package picture

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

// writeWires draws the wires of one owner as one path, so that pointing at it shows them all.
func (sc *scene) writeWires(w *bufio.Writer) {
	byOwner := make([]int32, len(sc.wires))
	for i := range byOwner {
		byOwner[i] = int32(i)
	}
	slices.SortStableFunc(byOwner, func(a, b int32) int { return int(sc.wires[a].owner) - int(sc.wires[b].owner) })
	fmt.Fprintln(w, `<g class="wires">`)
	for begin := 0; begin < len(byOwner); {
		end := begin
		for end < len(byOwner) && sc.wires[byOwner[end]].owner == sc.wires[byOwner[begin]].owner {
			end++
		}
		sc.writeBundle(w, byOwner[begin:end])
		begin = end
	}
	fmt.Fprintln(w, "</g>")
	sc.writeTimes(w)
}

func (sc *scene) writeBundle(w *bufio.Writer, wires []int32) {
	var lines, tips strings.Builder
	for _, i := range wires {
		wire := sc.wires[i]
		c := sc.curve(wire)
		lines.WriteString(c.path())
		if sc.lane(wire.to) {
			// through the row, to where the lane's wires go on
			_, _, bottom := sc.at(wire.to)
			fmt.Fprintf(&lines, "V%s", px(bottom))
		} else {
			fmt.Fprintf(&tips, "M%s %sl-4 -%dq4 2.5 8 0z", px(c.x1), px(c.arrive+arrow), arrow)
		}
	}
	fmt.Fprintf(w, `<g><path d="%s"/>`, lines.String())
	if tips.Len() > 0 {
		fmt.Fprintf(w, `<path class="tip" d="%s"/>`, tips.String())
	}
	fmt.Fprintln(w, "</g>")
}

// curve is a wire: straight down from a box to the end of its row, bent, straight down again. It is bent only between two rows,
// where nothing else is, so that it cannot touch a box.
type curve struct{ x0, leave, y0, x1, y1, arrive float64 }

func (sc *scene) curve(w wire) curve {
	x0, _, leave := sc.at(w.from)
	x1, arrive, _ := sc.at(w.to)
	y0, y1 := sc.bottom[sc.items[w.from].row], sc.tops[sc.items[w.to].row]
	if !sc.lane(w.to) {
		y1, arrive = y1-arrow, arrive-arrow
	}
	return curve{x0, leave, y0, x1, y1, arrive}
}

func (c curve) path() string {
	bend := (c.y1 - c.y0) * 0.55
	x0, x1 := px(c.x0), px(c.x1)
	return fmt.Sprintf("M%s %sV%sC%s %s %s %s %s %sV%s",
		x0, px(c.leave), px(c.y0), x0, px(c.y0+bend), x1, px(c.y1-bend), x1, px(c.y1), px(c.arrive))
}

// writeTimes labels edges that stand for several dependencies.
func (sc *scene) writeTimes(w *bufio.Writer) {
	for _, wire := range sc.wires {
		if wire.count < 2 {
			continue
		}
		c := sc.curve(wire)
		x, y := (c.x0+c.x1)/2, (c.y0+c.y1)/2
		fmt.Fprintf(w, `<text class="times" x="%s" y="%s">%s</text>`+"\n", px(x), px(y+3), escape(edge{count: wire.count}.times()))
	}
}
