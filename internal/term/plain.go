package term

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes matches what terminals take as commands, in the forms of 7 and of 8 bits: CSI and OSC,
// the strings of DCS, SOS, PM and APC, and short ones such as ESC ( B, which `tput sgr0` prints.
var escapes = regexp.MustCompile(`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]|` +
	`(?:\x1b\]|\x{9d})[^\x07\x1b\x{9c}]*(?:\x07|\x1b\\|\x{9c})?|` +
	`\x1b[PX^_][^\x1b]*(?:\x1b\\)?|` +
	`\x1b[ -/]*[0-OQ-WYZ\\\x60-~]`)

// Plain leaves out what terminals take as commands: colours, moves of the cursor, titles.
func Plain(s string) string { return escapes.ReplaceAllString(s, "") }

// Seen is what a person would see of a line of output: [Plain], and of what was drawn over and
// over, such as a progress bar, the last that says something.
func Seen(line string) string {
	for {
		start := strings.LastIndexByte(line, '\r') + 1
		text := overwrite(Plain(line[start:]))
		if start == 0 || strings.TrimSpace(text) != "" {
			return text
		}
		line = line[:start-1]
	}
}

// overwrite does what backspaces do: each moves the cursor back, and what follows takes the place
// of what was there.
func overwrite(line string) string {
	if !strings.Contains(line, "\b") {
		return line
	}

	var cells []rune
	cursor := 0
	for _, r := range line {
		switch {
		case r == '\b':
			cursor = max(0, cursor-1)
		case cursor < len(cells):
			cells[cursor] = r
			cursor++
		default:
			cells = append(cells, r)
			cursor++
		}
	}

	return string(cells)
}

// harmless reports whether a character is shown, and does nothing else to a terminal. What moves
// the cursor, hides, ends a line, or turns the direction of writing is not.
func harmless(r rune) bool { return unicode.IsGraphic(r) || r == Joiner }

// Clean makes a line of text harmless to a terminal: what is not shown is escaped as in Go. A tab
// becomes two spaces.
func Clean(s string) string {
	return escape(s, func(b *strings.Builder, r rune) bool {
		if r == '\t' {
			b.WriteString("  ")
		}
		return r == '\t'
	})
}

// CleanLines is [Clean] for text of several lines. Tabs stay too.
func CleanLines(s string) string {
	return escape(s, func(b *strings.Builder, r rune) bool {
		if r == '\t' || r == '\n' {
			b.WriteRune(r)
		}
		return r == '\t' || r == '\n'
	})
}

// escape escapes what is not harmless, and what written does not write itself.
func escape(s string, written func(*strings.Builder, rune) bool) string {
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
		case written(&b, r):
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmless(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}

	return b.String()
}
