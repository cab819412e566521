// Package term measures text on a terminal, whose cells wide characters take two of, makes it fit,
// and leaves out what is a command there.
package term

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// Emoji makes a picture, two columns wide, of the character before it.
	Emoji = '\uFE0F'
	// Joiner makes one picture of several.
	Joiner = '\u200D'
)

// Rune is the width of a character on a terminal.
func Rune(r rune) int {
	switch {
	case r < 0x300 || r == Emoji:
		return 1
	case r == Joiner || unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}

	return 1
}

// wide is Unicode's East Asian Width "wide" and "fullwidth", with the gaps between such blocks.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115F, 1}, {0x231A, 0x231B, 1}, {0x23E9, 0x23EC, 1}, {0x23F0, 0x23F3, 3}, {0x25FD, 0x25FE, 1}, {0x2614, 0x2615, 1},
		{0x2648, 0x2653, 1}, {0x267F, 0x2693, 20}, {0x26A1, 0x26AA, 9}, {0x26AB, 0x26BD, 18}, {0x26BE, 0x26C4, 6}, {0x26C5, 0x26CE, 9},
		{0x26D4, 0x26EA, 22}, {0x26F2, 0x26F3, 1}, {0x26F5, 0x26FA, 5}, {0x26FD, 0x2705, 8}, {0x270A, 0x270B, 1}, {0x2728, 0x274C, 36},
		{0x274E, 0x2753, 5}, {0x2754, 0x2755, 1}, {0x2757, 0x2795, 62}, {0x2796, 0x2797, 1}, {0x27B0, 0x27BF, 15}, {0x2B1B, 0x2B1C, 1},
		{0x2B50, 0x2B55, 5}, {0x2E80, 0x303E, 1}, {0x3041, 0xA4CF, 1}, {0xA960, 0xA97F, 1}, {0xAC00, 0xD7A3, 1}, {0xF900, 0xFAFF, 1},
		{0xFE10, 0xFE19, 1}, {0xFE30, 0xFE6F, 1}, {0xFF01, 0xFF60, 1}, {0xFFE0, 0xFFE6, 1},
	},
	R32: []unicode.Range32{
		{0x16FE0, 0x1B2FF, 1}, {0x1F004, 0x1F0CF, 203}, {0x1F18E, 0x1F191, 3}, {0x1F192, 0x1F19A, 1}, {0x1F200, 0x1F64F, 1},
		{0x1F680, 0x1F6FF, 1}, {0x1F7E0, 0x1F7F0, 1}, {0x1F90C, 0x1F9FF, 1}, {0x1FA70, 0x1FAFF, 1}, {0x20000, 0x3FFFD, 1},
	},
}

// Of is the width of text on a terminal.
func Of(s string) int {
	n := 0
	for _, r := range s {
		n += Rune(r)
	}
	return n
}

// Cut leaves out the end of text that is wider than most columns.
func Cut(s string, most int) string {
	if len(s) <= most || Of(s) <= most {
		return s
	}

	if most <= 0 {
		return ""
	}

	left := most - 1 // for the ellipsis
	for i, r := range s {
		if left -= Rune(r); left < 0 {
			return s[:i] + "…"
		}
	}

	return s
}

// Shorten leaves out the middle of text that is wider than most columns: names that are much alike
// often differ at their end.
func Shorten(s string, most int) string {
	if len(s) <= most || Of(s) <= most || most < 3 {
		return Cut(s, most)
	}

	head := Cut(s, most-(most-1)/2)
	left := most - Of(head)
	tail := len(s)
	for tail > 0 {
		r, n := utf8.DecodeLastRuneInString(s[:tail])
		if left -= Rune(r); left < 0 {
			break
		}
		tail -= n
	}

	return head + strings.TrimLeftFunc(s[tail:], func(r rune) bool { return Rune(r) == 0 })
}

// Pad adds spaces to text, to a width.
func Pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-Of(s))) }

// Wrap breaks a line of text into lines of at most so many columns: at spaces, except for words
// that are longer. A most below 1 breaks nothing.
func Wrap(s string, most int) (lines []string) {
	for most > 0 && len(s) > most && Of(s) > most {
		end := 0
		left := most
		for i, r := range s {
			if left -= Rune(r); left < 0 && i > 0 {
				end = i
				break
			}
		}

		if end == 0 {
			break // one character that is wider
		}

		if space := strings.LastIndexByte(s[:end], ' '); s[end] != ' ' && strings.TrimLeft(s[:max(space, 0)], " ") != "" {
			end = space
		}

		lines = append(lines, strings.TrimRight(s[:end], " "))
		s = strings.TrimLeft(s[end:], " ")
	}

	return append(lines, s)
}
