package picture

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"testing"
)

func TestYY(t *testing.T) {
	for seed := range 8 {
		r := rand.New(rand.NewSource(int64(seed)))
		for _, f := range []func() (string, Input){
			func() (string, Input) { return "rand20", Input{Name: "r", Graph: mk(t, random(20, 2, r))} },
			func() (string, Input) { return "rand30", Input{Name: "r", Graph: mk(t, random(30, 2, r))} },
			func() (string, Input) { return "l3x10", Input{Name: "r", Graph: mk(t, layered(3, 10, 2, r))} },
			func() (string, Input) { return "l6x5", Input{Name: "r", Graph: mk(t, layered(6, 5, 2, r))} },
			func() (string, Input) { return "l6x5d3", Input{Name: "r", Graph: mk(t, layered(6, 5, 3, r))} },
		} {
			name, in := f()
			s := newSketch(in, usual)
			sc := newTextScene(s, 76)
			width := 0
			for i := range sc.items {
				width = max(width, sc.x[i]+int(sc.items[i].width)/2+1)
			}
			c := drawText(s)
			ok := c != nil
			h := 0
			if ok {
				h = len(c.lines)
			}
			if ok {
				width = c.width
			}
			fmt.Println(name, seed, "width", width, ok, "height", h, "edges", len(s.edges))
			if seed == 1 && name[0] == 'r' && ok {
				w := bufio.NewWriter(os.Stdout)
				c.writeTo(w)
				w.Flush()
			}
		}
	}
}
