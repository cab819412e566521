// Package term measures and shortens text for a terminal, and removes terminal commands from text.
//
// Widths are those of package displaywidth: a terminal shows a grapheme cluster, such as a letter
// with its accents or an emoji of several code points, in one or two columns. Text must be clean:
// see [Clean].
//
// Package charmbracelet/x/ansi measures with displaywidth, too, and brings go-runewidth with it,
// whose tables cost 36 ms at the start of every process.
package term

import (
	"iter"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

const ellipsis = "…"

// An escape sequence that is left in a text takes no column.
var measure = displaywidth.Options{ControlSequences: true}

// Width returns the columns that text takes on a terminal.
func Width(s string) int {
	// Nearly all names are plain ASCII. Progress measures every text that it shows.
	if plainASCII(s) {
		return len(s)
	}
	return measure.String(s)
}

// plainASCII reports whether every byte of a text is one column wide.
func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Clusters yields the grapheme clusters of a text with their widths.
func Clusters(s string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for g := displaywidth.StringGraphemes(s); g.Next(); {
			if !yield(g.Value(), g.Width()) {
				return
			}
		}
	}
}

// Truncate cuts off the end of a text that is wider than most columns.
func Truncate(s string, most int) string {
	if len(s) <= most && plainASCII(s) {
		return s
	}
	if most < 1 {
		return "" // not even the ellipsis fits
	}
	return measure.TruncateString(s, most, ellipsis)
}

// Shorten cuts out the middle of a text that is wider than most columns. Similar names often differ
// in their last characters.
func Shorten(s string, most int) string {
	width := Width(s)
	if width <= most || most < 3 {
		return Truncate(s, most)
	}

	head := Truncate(s, most-(most-1)/2)

	tail := s
	for cluster, columns := range Clusters(s) {
		if width <= most-Width(head) {
			break
		}
		tail = tail[len(cluster):]
		width -= columns
	}

	return head + tail
}

// Pad adds spaces to a text up to a width.
func Pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-Width(s))) }

// Wrap breaks a line of text into lines of at most most columns. It breaks at spaces, or within a
// word that is longer than a line. A most below 1 breaks nothing.
func Wrap(s string, most int) (lines []string) {
	for most > 0 && Width(s) > most {
		end := fitting(s, most)
		if end == 0 {
			break // a single character is wider than the line
		}

		// A space at which nothing but indentation would be left on the line is no place to break.
		space := strings.LastIndexByte(s[:end], ' ')
		if s[end] != ' ' && strings.TrimLeft(s[:max(space, 0)], " ") != "" {
			end = space
		}

		lines = append(lines, strings.TrimRight(s[:end], " "))
		s = strings.TrimLeft(s[end:], " ")
	}

	return append(lines, s)
}

// fitting returns how many bytes of a text fit into most columns.
func fitting(s string, most int) (end int) {
	for cluster, columns := range Clusters(s) {
		if most -= columns; most < 0 {
			break
		}
		end += len(cluster)
	}
	return end
}
