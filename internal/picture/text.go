package picture

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/godags/godags/internal/term"
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

// wrap joins parts with commas, in lines of at most so many columns if the parts allow.
func wrap(parts []string, most int) []string {
	var lines []string
	for _, part := range parts {
		if last := len(lines) - 1; last >= 0 && term.Width(lines[last])+term.Width(part)+2 <= most {
			lines[last] += ", " + part
		} else {
			lines = append(lines, part)
		}
	}

	return lines
}

// pixels is about the width of text in a sans-serif font of size 1, on the generous side.
func pixels(s string) float64 {
	// No font is at hand, and browsers use different ones. A text that comes out narrower only
	// leaves space, so estimates are generous.
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
			w += 0.68 * float64(term.Width(string(r)))
		}
	}

	return w
}
