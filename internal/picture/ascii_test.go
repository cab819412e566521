package picture

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/term"
)

// Reading the picture the way a person does must give the dependencies back: no more and no fewer.
func TestTextPictureSaysWhatTheGraphSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyGraph(20, numbered).Draw(t, "graph")
		if g.Len() == 0 {
			return
		}
		c := drawText(newSketch(Input{Graph: g}, usual), rapid.SampledFrom([]int{0, 50, 80, 200}).Draw(t, "width"))
		if c == nil {
			t.Skip("too dense for a text picture")
		}
		r := newReader(c)
		for s := range g.Len() {
			var want []string
			for _, d := range g.Dependents(dag.StageID(s)) {
				want = append(want, g.Name(d))
			}
			if got := r.dependents(g.Name(dag.StageID(s))); !slices.Equal(got, want) {
				t.Fatalf("%s seems to lead to %v, but leads to %v:\n%s", g.Name(dag.StageID(s)), got, want, strings.Join(r.lines(), "\n"))
			}
		}
	})
}

// reader follows lines on a canvas of boxes whose names have three characters.
type reader struct {
	*canvas
	at map[string][2]int // column and line of each name
}

func newReader(c *canvas) reader {
	r := reader{c, map[string][2]int{}}
	for y, line := range c.lines {
		for x := range len(line) - 2 {
			if name := strings.Join(line[x:x+3], ""); name[0] == 's' {
				r.at[name] = [2]int{x, y}
			}
		}
	}
	return r
}

func (r reader) lines() (lines []string) {
	for _, line := range r.canvas.lines {
		lines = append(lines, strings.Join(line, ""))
	}
	return lines
}

// edges returns the columns of a box's sides.
func (r reader) edges(name string) (left, right int) {
	at := r.at[name]
	line := r.canvas.lines[at[1]]
	for left = at[0]; line[left] != "│"; left-- {
	}
	for right = at[0]; line[right] != "│"; right++ {
	}
	return left, right
}

// dependents returns the names of the boxes to which lines lead from the lower side of the named
// one.
func (r reader) dependents(name string) []string {
	from, to := r.edges(name)
	y := r.at[name][1] + 1
	found := map[string]bool{}
	for x := from; x <= to; x++ {
		if r.canvas.lines[y][x] == "┬" {
			r.follow(x, y+1, down, found)
		}
	}
	var names []string
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// follow walks on in a direction. Lines cross where one of them is interrupted, and nothing flows
// up.
func (r reader) follow(x, y, direction int, found map[string]bool) {
	cell := r.canvas.lines[y][x]
	if cell == "▼" {
		found[r.below(x, y)] = true
		return
	}
	arms := slices.Index(strokes[:], cell)
	switch cell {
	case "│":
		arms = up | down
	case "─":
		arms = left | right
	}
	back := map[int]int{down: up, left: right, right: left}[direction]
	if arms&back == 0 { // beneath another line
		arms = direction
	}
	arms &^= back | up
	for arm, step := range map[int][2]int{down: {0, 1}, left: {-1, 0}, right: {1, 0}} {
		if arms&arm != 0 {
			r.follow(x+step[0], y+step[1], arm, found)
		}
	}
}

// below returns the name in the box under an arrow.
func (r reader) below(x, y int) string {
	for name, at := range r.at {
		if from, to := r.edges(name); at[1] == y+2 && from < x && x < to {
			return name
		}
	}
	return fmt.Sprintf("nothing at %d,%d", x, y)
}

func TestTextPictureFitsATerminal(t *testing.T) {
	for name, add := range map[string]func(*dag.Builder){
		"six":    six,
		"layers": layers(5, 6),
		"fan": func(b *dag.Builder) {
			b.Add("split")
			var all []string
			for i := range 28 {
				all = append(all, fmt.Sprintf("train[%d]", i))
				b.Add(all[i], "split")
			}
			b.Add("join", all...)
		},
	} {
		text := draw(t, run(name, build(t, add)), ASCII)
		if !strings.Contains(text, "▼") {
			t.Errorf("%s is not drawn:\n%s", name, text)
		}
		for line := range strings.Lines(text) {
			if term.Width(line)-1 > 100 || strings.HasSuffix(line, " \n") {
				t.Errorf("%s: line %q has %d columns", name, line, term.Width(line)-1)
			}
		}
	}
}

// A terminal is used as far as it goes, and no further.
func TestTextPictureFitsTheTerminal(t *testing.T) {
	for name, add := range map[string]func(*dag.Builder){"six": six, "layers": layers(5, 6), "hostile": hostile} {
		for _, width := range []int{20, 40, 60, 80, 200} {
			in := run(name, build(t, add))
			in.Width = width
			_, picture, _ := strings.Cut(draw(t, in, ASCII), "\n\n")
			for line := range strings.Lines(picture) {
				if term.Width(line)-1 > width {
					t.Errorf("%s on %d columns: %s", name, width, line)
				}
			}
			if drawn := strings.Contains(picture, "╭"); drawn != (width >= 40) && name == "six" {
				t.Errorf("%s on %d columns: %s", name, width, picture)
			}
		}
	}
}

func TestManyStagesAreListedByLevel(t *testing.T) {
	got := draw(t, Input{Name: "p", Graph: build(t, func(b *dag.Builder) {
		var all []string
		for i := range 60 {
			all = append(all, fmt.Sprintf("part %d", i))
			b.Add(all[i])
		}
		b.Add("join", all...)
		b.Add("end", "join", "part 0")
	})}, ASCII)
	for _, want := range []string{
		"\nlevel  stage\n    0  part 0\n       part 1\n",
		"\n    1  join     <- part 0, part 1, part 2, part 3 and 56 more\n    2  end      <- part 0, join\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}
