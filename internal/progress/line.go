package progress

import (
	"strings"

	"github.com/godags/godags/internal/term"
)

// style is the colour of a text, as the parameters of its escape sequence.
type style string

const (
	none    style = ""
	bold    style = "1"
	dim     style = "2"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	magenta style = "35"
	cyan    style = "36"
	boldRed style = "1;31"
)

// line is a line of text that is written from the left, up to a width.
type line struct {
	buf   []byte
	left  int // columns that are still free
	color bool
}

// put adds text, and cuts off what does not fit.
func (r *line) put(s style, text string) {
	text = term.Truncate(text, r.left)
	// A colour takes no columns, so only the text counts.
	r.left -= term.Width(text)
	if !r.color || s == none || text == "" {
		r.buf = append(r.buf, text...)
		return
	}

	r.buf = append(r.buf, "\x1b["...)
	r.buf = append(r.buf, s...)
	r.buf = append(r.buf, 'm')
	r.buf = append(r.buf, text...)
	r.buf = append(r.buf, "\x1b[0m"...)
}

// gap adds spaces.
func (r *line) gap(n int) { r.put(none, strings.Repeat(" ", max(0, min(n, r.left)))) }

// column adds text, padded on the right to a width.
func (r *line) column(s style, text string, width int) {
	r.put(s, text)
	r.gap(width - term.Width(text))
}

// right adds text, padded on the left to a width.
func (r *line) right(s style, text string, width int) {
	r.gap(width - term.Width(text))
	r.put(s, text)
}

// output adds a line that a stage printed, after the name of the stage. The names of several stages
// take the same width, so that their lines are aligned.
func (r *line) output(m message, names int) {
	r.column(dim, shorten(clean(m.stage), max(names, 1)), names)
	r.put(dim, " | ")
	r.put(none, m.text)
}

// list adds spans with dots between them, and stops at the first that does not fit.
func (r *line) list(spans []span) {
	sep := " "
	for _, s := range spans {
		// A number that was cut off would be read as a smaller one.
		if term.Width(sep)+term.Width(s.text) > r.left {
			return
		}
		r.put(dim, sep)
		r.put(s.style, s.text)
		sep = " · "
	}
}
