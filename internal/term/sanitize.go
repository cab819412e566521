package term

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes matches terminal commands in their 7-bit and 8-bit forms: CSI and OSC,
// the strings of DCS, SOS, PM and APC, and short ones such as ESC ( B, which `tput sgr0` prints.
//
// A reader of bytes would not do: xterm obeys the 8-bit forms if they are UTF-8, and a stray byte
// of another encoding, such as 0x90, must not remove the rest of the text.
var escapes = regexp.MustCompile(`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]|` +
	`(?:\x1b\]|\x{9d})[^\x07\x1b\x{9c}]*(?:\x07|\x1b\\|\x{9c})?|` +
	`\x1b[PX^_][^\x1b]*(?:\x1b\\)?|` +
	`\x1b[ -/]*[0-OQ-WYZ\\\x60-~]`)

// Strip removes terminal commands: colours, cursor movements, titles.
func Strip(s string) string { return escapes.ReplaceAllString(s, "") }

// Visible returns the text that a person would see of a line of output. The line is stripped. Of a
// text that was drawn again and again, such as a progress bar, the last version is returned.
func Visible(line string) string {
	for {
		start := strings.LastIndexByte(line, '\r') + 1
		text := overwrite(Strip(line[start:]))

		// A program may return the cursor and clear the line when it ends: then the text before
		// counts.
		if start == 0 || strings.TrimSpace(text) != "" {
			return text
		}
		line = line[:start-1]
	}
}

// overwrite applies backspaces: each moves the cursor back, and later characters replace those
// that were there.
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

// joiner is the zero-width joiner, which emoji contain. It is not graphic, but harmless.
const joiner = '\u200D'

// visible reports whether a terminal only shows a character. Characters that move the cursor, hide
// text, end a line or change the direction of writing are not visible.
func visible(r rune) bool { return unicode.IsGraphic(r) || r == joiner }

// Clean makes one line of text safe for a terminal: characters that are not visible are escaped as
// in Go. A tab becomes two spaces, so that widths stay known.
func Clean(s string) string {
	return escape(s, func(b *strings.Builder, r rune) bool {
		if r == '\t' {
			b.WriteString("  ")
		}
		return r == '\t'
	})
}

// CleanLines is [Clean] for a text of several lines. Line feeds and tabs stay.
func CleanLines(s string) string {
	return escape(s, func(b *strings.Builder, r rune) bool {
		if r == '\t' || r == '\n' {
			b.WriteRune(r)
		}
		return r == '\t' || r == '\n'
	})
}

// escape escapes the characters that are not visible, except those that written writes itself.
func escape(s string, written func(*strings.Builder, rune) bool) string {
	// Nearly all texts need no change, and then cost no memory.
	if plainASCII(s) {
		return s
	}

	var b strings.Builder
	for i, r := range s {
		switch {
		case written(&b, r):
		// A byte that is not UTF-8 decodes like the replacement character, which may also be in
		// the text as such.
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case visible(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}

	return b.String()
}
