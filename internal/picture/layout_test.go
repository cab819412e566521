package picture

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/godags/godags/dag"
)

// anyGraph is a random pipeline of at most so many stages, with names of the given kind.
func anyGraph(most int, name func(t *rapid.T, i int) string) *rapid.Generator[*dag.Graph] {
	return rapid.Custom(func(t *rapid.T) *dag.Graph {
		var b dag.Builder
		var known []string
		for i := range rapid.IntRange(0, most).Draw(t, "stages") {
			var after []string
			if i > 0 {
				after = rapid.SliceOfNDistinct(rapid.SampledFrom(known), 0, min(i, 4), rapid.ID).Draw(t, "after")
			}
			known = append(known, name(t, i))
			b.Add(known[i], after...)
		}
		g, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return g
	})
}

func numbered(_ *rapid.T, i int) string { return fmt.Sprintf("s%02d", i) }

// anyName is unique by its end, and legal.
func anyName(t *rapid.T, i int) string {
	for {
		name := rapid.StringN(0, 30, 150).Draw(t, "name") + fmt.Sprintf("<%d", i)
		if dag.CheckName(name) == nil {
			return name
		}
	}
}

func anyScene(t *rapid.T) *scene {
	g := anyGraph(60, numbered).Draw(t, "graph")
	names := rapid.SliceOfN(rapid.IntRange(1, 60), g.Len(), g.Len()).Draw(t, "widths")
	s := newSketch(Input{Graph: g}, usual)
	for i := range s.nodes {
		s.nodes[i].name = string(bytes.Repeat([]byte("m"), names[i]))
		if names[i]%3 == 0 {
			s.nodes[i].label = "higher than the others"
		}
	}
	return newScene(s)
}

func TestBoxesKeepTheirDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sc := anyScene(t)
		for _, row := range sc.rows {
			for k := range row[:max(0, len(row)-1)] {
				a, b := &sc.vertices[row[k]], &sc.vertices[row[k+1]]
				if gap := (b.x - b.width/2) - (a.x + a.width/2); gap < 12.9 {
					t.Fatalf("neighbours in row %d are %.1f apart", a.row, gap)
				}
			}
		}
		for r := 1; r < len(sc.tops); r++ {
			if sc.tops[r]-sc.bottoms[r-1] < 40 {
				t.Fatalf("rows %d and %d are too close", r-1, r)
			}
		}
		for i := range sc.sketch.nodes {
			x, _, _ := sc.at(int32(i))
			if half := sc.vertices[i].width / 2; x-half < margin-1 || x+half > sc.width-margin+1 {
				t.Fatal("a box leaves the picture")
			}
		}
	})
}

func TestEveryDependencyIsDrawnDownwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sc := anyScene(t)
		for _, w := range sc.segments {
			if c := sc.curve(w); c.leave > c.y0+0.01 || c.y0 >= c.y1 || c.y1 > c.arrive+0.01 {
				t.Fatalf("a wire does not go down: %+v", c)
			}
		}
		for i, e := range sc.sketch.edges {
			if !sc.leads(e.from, e.to, sc.via[i]) {
				t.Fatalf("no way from %d to %d", e.from, e.to)
			}
		}
	})
}

// leads follows a bundle's wires through lanes.
func (sc *scene) leads(from, to, bundle int32) bool {
	for _, i := range sc.vertices[from].down {
		w := sc.segments[i]
		if w.bundle == bundle && (w.to == to || sc.isDummy(w.to) && sc.leads(w.to, to, bundle)) {
			return true
		}
	}
	return false
}

func TestNoEdgeRunsThroughABox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sc := anyScene(t)
		for _, w := range sc.segments {
			c := sc.curve(w)
			for step := range 41 {
				x, y := c.point(float64(step) / 40)
				for i := range sc.sketch.nodes {
					if n := int32(i); n != w.from && n != w.to && sc.covers(n, x, y) {
						t.Fatalf("the wire from %d to %d runs through box %d", w.from, w.to, n)
					}
				}
			}
		}
	})
}

// point is on the curve: its control points stand right below and above its ends.
func (c curve) point(t float64) (x, y float64) {
	mix := func(a, b, c, d float64) float64 {
		u := 1 - t
		return u*u*u*a + 3*u*u*t*b + 3*u*t*t*c + t*t*t*d
	}
	bend := (c.y1 - c.y0) * 0.55
	return mix(c.x0, c.x0, c.x1, c.x1), mix(c.y0, c.y0+bend, c.y1-bend, c.y1)
}

func (sc *scene) covers(i int32, x, y float64) bool {
	cx, top, bottom := sc.at(i)
	return math.Abs(x-cx) < sc.vertices[i].width/2+2 && y > top-2 && y < bottom+2
}

func TestLanesPassBesideBoxes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sc := anyScene(t)
		for i := int32(sc.nodes); int(i) < len(sc.vertices); i++ {
			x, top, bottom := sc.at(i)
			for n := range sc.sketch.nodes {
				if sc.covers(int32(n), x, top) || sc.covers(int32(n), x, (top+bottom)/2) {
					t.Fatalf("a lane runs through box %d", n)
				}
			}
		}
	})
}

func TestAWideLevelIsBroken(t *testing.T) {
	sc := newScene(newSketch(Input{Graph: build(t, func(b *dag.Builder) {
		b.Add("split")
		var all []string
		for i := range 200 {
			all = append(all, fmt.Sprintf("train[%d]", i))
			b.Add(all[i], "split")
		}
		b.Add("join", all...)
	})}, usual))
	if sc.width > 3000 || len(sc.rows) < 8 {
		t.Errorf("200 stages side by side make a picture %.0f wide with %d rows", sc.width, len(sc.rows))
	}
	if lanes := len(sc.vertices) - sc.nodes; lanes > 2*len(sc.rows) {
		t.Errorf("the edges take %d lanes in %d rows", lanes, len(sc.rows))
	}
}

func TestInversions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ends := rapid.SliceOf(rapid.IntRange(0, 9)).Draw(t, "ends")
		want := 0
		for i := range ends {
			for j := range i {
				if ends[j] > ends[i] {
					want++
				}
			}
		}
		if got := inversions(ends, 10); got != want {
			t.Fatalf("%d inversions in %v, want %d", got, ends, want)
		}
	})
}

func TestSVGIsWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := run(anyName(t, 0), anyGraph(30, anyName).Draw(t, "graph"))
		var out bytes.Buffer
		if err := Draw(&out, in, SVG); err != nil {
			t.Fatal(err)
		}
		decoder := xml.NewDecoder(&out)
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "script" {
				t.Fatal("a name became an element")
			}
		}
	})
}

func BenchmarkSVG1000(b *testing.B) {
	s := newSketch(Input{Graph: build(b, layers(40, 25))}, limits{nodes: 1000, edges: 3000, full: 3000})
	for b.Loop() {
		drawSVG(bufio.NewWriter(io.Discard), s)
	}
}

func BenchmarkCollapseMillion(b *testing.B) {
	in := run("p", build(b, layers(1000, 1000)))
	for _, w := range writers {
		b.Run(string(w.format), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Draw(io.Discard, in, w.format); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
