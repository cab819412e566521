package picture

import (
	"bufio"
	"strings"

	"github.com/godags/godags/internal/term"
)

// canvas is a grid of characters. Lines that meet are joined.
type canvas struct {
	width int
	lines [][]string // "" beneath the second half of a wide character
}

// Box-drawing characters by the directions in which they have arms.
const (
	up = 1 << iota
	down
	left
	right
)

var strokes = [...]string{
	0: " ", up: "│", down: "│", up | down: "│", left: "─", right: "─", left | right: "─",
	down | right: "╭", down | left: "╮", up | right: "╰", up | left: "╯",
	up | down | right: "├", up | down | left: "┤", down | left | right: "┬", up | left | right: "┴", up | down | left | right: "┼",
}

// grow adds lines at the bottom and returns the first one's number.
func (c *canvas) grow(lines int) int {
	first := len(c.lines)
	for range lines {
		line := make([]string, c.width)
		for x := range line {
			line[x] = " "
		}
		c.lines = append(c.lines, line)
	}

	return first
}

// text writes s from column x on.
func (c *canvas) text(x, y int, s string) {
	for cluster, width := range term.Clusters(s) {
		// Characters without a width, such as a lone accent, belong to the cell before.
		if width == 0 {
			c.lines[y][max(0, x-1)] += cluster
			continue
		}

		c.lines[y][x] = cluster
		for k := 1; k < width; k++ {
			c.lines[y][x+k] = ""
		}
		x += width
	}
}

// centre writes s in the middle of the columns from x on.
func (c *canvas) centre(x, y, width int, s string) {
	c.text(x+(width-term.Width(s))/2, y, s)
}

// box draws a frame around lines of text.
func (c *canvas) box(x, y, width int, lines []string) {
	bar := strings.Repeat("─", width-2)
	c.text(x, y, "╭"+bar+"╮")
	for k, line := range lines {
		c.text(x, y+1+k, "│")
		c.centre(x+1, y+1+k, width-2, line)
		c.text(x+width-1, y+1+k, "│")
	}
	c.text(x, y+1+len(lines), "╰"+bar+"╯")
}

// vertical draws a line from y0 to y1, both inclusive. What it crosses it hides.
func (c *canvas) vertical(x, y0, y1 int) {
	// Joints are not computed here: a line that crosses another hides it, and so looks separate.
	for y := y0; y <= y1; y++ {
		c.lines[y][x] = strokes[up|down]
	}
}

func (c *canvas) writeTo(w *bufio.Writer) {
	for _, line := range c.lines {
		w.WriteString(strings.TrimRight(strings.Join(line, ""), " "))
		w.WriteByte('\n')
	}
}
