package progress

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	emojiSelector = '\uFE0F' // makes a picture, two columns wide, of the character before it
	joiner        = '\u200D' // makes one picture of several
)

// clean makes text harmless to a terminal: what would move the cursor, hide, or turn the direction of writing is escaped as in Go.
func clean(s string) string {
	i := 0
	for i < len(s) && s[i] >= ' ' && s[i] <= '~' {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\t':
			b.WriteString("  ")
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsGraphic(r) || r == joiner:
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// firstLine returns the first line of a text that says something.
func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(s, "\r\n"), "\n")
	return strings.TrimRight(line, " \r\t")
}

// columns is the width of a character on a terminal.
func columns(r rune) int {
	switch {
	case r < 0x300 || r == emojiSelector:
		return 1
	case r == joiner || unicode.In(r, unicode.Mn, unicode.Me):
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

// cells is the width of text on a terminal.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// cut leaves out the end of text that is wider than most columns.
func cut(s string, most int) string {
	if len(s) <= most || cells(s) <= most {
		return s
	}
	if most <= 0 {
		return ""
	}
	left := most - 1 // for the ellipsis
	for i, r := range s {
		if left -= columns(r); left < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// shorten leaves out the middle of text that is wider than most columns: names that are much alike often differ at their end.
func shorten(s string, most int) string {
	if len(s) <= most || cells(s) <= most || most < 3 {
		return cut(s, most)
	}
	head := cut(s, most-(most-1)/2)
	left := most - cells(head)
	tail := len(s)
	for tail > 0 {
		r, n := utf8.DecodeLastRuneInString(s[:tail])
		if left -= columns(r); left < 0 {
			break
		}
		tail -= n
	}
	return head + strings.TrimLeftFunc(s[tail:], func(r rune) bool { return columns(r) == 0 })
}

// commas writes 1234567 as 1,234,567.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// joined puts a dot between two remarks if there are two.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " · " + b
}

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return commas(n) + " " + thing + "s"
}

// took writes how long something took that is over, in six columns at most if it was shorter than 100 hours.
func took(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 9.995:
		return strconv.FormatFloat(s, 'f', 2, 64) + "s"
	case s < 59.95:
		return strconv.FormatFloat(s, 'f', 1, 64) + "s"
	}
	return rough(d)
}

// lasts writes how long something has been going on.
func lasts(d time.Duration) string {
	if d < 10*time.Second {
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64) + "s"
	}
	return rough(d)
}

// rough writes a duration in seconds, minutes and seconds, or hours and minutes.
func rough(d time.Duration) string {
	switch s := int(d.Seconds()); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
}

// stopwatch writes a duration as hours, minutes, seconds and tenths, in ten columns.
func stopwatch(d time.Duration) string {
	t := int(d / (100 * time.Millisecond))
	return fmt.Sprintf("%02d:%02d:%02d.%d", t/36000, t/600%60, t/10%60, t%10)
}
