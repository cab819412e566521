package picture

import (
	"strconv"
	"strings"
	"unicode"
)

// clean makes text fit to be shown anywhere: what cannot be printed becomes U+FFFD.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// commas writes 1234567 as 1,234,567.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

const emojiSelector = '\uFE0F' // makes a picture, two columns wide, of the character before it

// columns is the width of a character on a terminal.
func columns(r rune) int {
	switch {
	case r == emojiSelector:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && wide(r):
		return 2
	}
	return 1
}

// wide reports whether a terminal gives r two columns (Unicode's East Asian Width, coarsely).
func wide(r rune) bool {
	return r <= 0x115F || r >= 0x231A && r <= 0x231B || r >= 0x23E9 && r <= 0x23EC || r == 0x23F0 || r == 0x23F3 ||
		r >= 0x2E80 && r <= 0xA4CF && r != 0x303F || r >= 0xAC00 && r <= 0xD7A3 || r >= 0xF900 && r <= 0xFAFF ||
		r >= 0xFE30 && r <= 0xFE6F || r >= 0xFF00 && r <= 0xFF60 || r >= 0xFFE0 && r <= 0xFFE6 ||
		r >= 0x1F300 && r <= 0x1F64F || r >= 0x1F680 && r <= 0x1F6FF || r >= 0x1F900 && r <= 0x1FAFF || r >= 0x20000 && r <= 0x3FFFD
}

// cells is the width of text on a terminal.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// shorten leaves out the middle of text that is wider than most columns: names that are much alike often differ at their end.
func shorten(s string, most int) string {
	if cells(s) <= most {
		return s
	}
	runes := []rune(s)
	head, tail := 0, len(runes)
	left := most - 1 // for the ellipsis
	for used := 0; used+columns(runes[head]) <= (left+1)/2; head++ {
		used += columns(runes[head])
	}
	for used := cells(string(runes[:head])); used+columns(runes[tail-1]) <= left; tail-- {
		used += columns(runes[tail-1])
	}
	for tail < len(runes) && unicode.In(runes[tail], unicode.Mn, unicode.Me) {
		tail++ // would sit on the ellipsis
	}
	return strings.TrimRight(string(runes[:head]), " ") + "…" + strings.TrimLeft(string(runes[tail:]), " ")
}

// wrap joins parts with commas, in lines of at most so many columns if the parts allow.
func wrap(parts []string, most int) []string {
	var lines []string
	for _, part := range parts {
		if last := len(lines) - 1; last >= 0 && cells(lines[last])+cells(part)+2 <= most {
			lines[last] += ", " + part
		} else {
			lines = append(lines, part)
		}
	}
	return lines
}

// pixels is about the width of text in a sans-serif font of size 1, on the generous side.
func pixels(s string) float64 {
	var w float64
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijltfI.,:;'|![]() ", r):
			w += 0.4
		case strings.ContainsRune("mwMW@%", r):
			w += 0.96
		case r >= 'A' && r <= 'Z':
			w += 0.72
		case r < 0x80:
			w += 0.62
		default:
			w += 0.68 * float64(columns(r))
		}
	}
	return w
}
