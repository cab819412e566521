package pipefile

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/godags/godags/internal/term"
)

const (
	excerptBefore = 60  // the most characters that are shown before the caret
	excerptWidth  = 100 // about the most columns that are shown of a line
)

// Excerpt shows the line of a text on which a place begins, and marks it: from at to end, in bytes.
func Excerpt(text string, at, end int) string {
	src := []byte(text)
	return excerpt(src, at, max(end, at+1), bytes.Count(src[:at], []byte("\n"))+1)
}

// excerpt shows the line that a place is on, and marks what begins there, up to end; up to the end
// of the word if end is 0.
func excerpt(src []byte, at, end, line int) string {
	begin := at
	if end == 0 {
		end = at + len(token(src, at))
	}

	var text strings.Builder
	// Lines may be megabytes long, so the excerpt begins near the place. It goes backwards
	// character by character, because the caret stands below columns.
	caret := 0 // columns before it
	for n := 0; begin > 0 && src[begin-1] != '\n'; n++ {
		if n == excerptBefore {
			text.WriteString("...")
			caret = len("...")
			break
		}
		_, size := utf8.DecodeLastRune(src[:begin])
		begin -= size
	}

	width := caret
	carets := 0
	for i := begin; i < len(src) && src[i] != '\n'; {
		if i > at && width > excerptWidth {
			text.WriteString("...")
			break
		}

		r, size := utf8.DecodeRune(src[i:])
		// A line end of Windows is not part of the line.
		if r == '\r' && (i+1 == len(src) || src[i+1] == '\n') {
			break
		}

		s, columns := show(r, size)
		text.WriteString(s)
		width += columns
		if i < at {
			caret += columns
		} else if i < end {
			carets += columns
		}

		i += size
	}

	number := fmt.Sprintf("%5d", line)
	above := strings.TrimRight(number+" | "+text.String(), " ")
	below := strings.Repeat(" ", len(number)) + " | " + strings.Repeat(" ", caret) + strings.Repeat("^", max(carets, 1))
	return above + "\n" + below
}

// show returns a character in the form in which it can be shown, and the number of columns that it
// takes.
func show(r rune, size int) (string, int) {
	switch {
	case r == utf8.RuneError && size == 1:
		return "?", 1
	case r == '\t':
		return "    ", 4
	case !unicode.IsPrint(r):
		quoted := strconv.QuoteRune(r)
		return quoted[1 : len(quoted)-1], len(quoted) - 2
	}

	return string(r), term.Width(string(r))
}

// within returns where a part of a text is in the file: its beginning is at bytes behind that of
// the text. It goes through what is written and what it means side by side. Where they do not fit
// together, as at an alias, that is where the value begins.
func within(src []byte, v value, at int) int {
	i := int(v.at)
	quote := byte(0)
	switch {
	case i >= len(src):
		return i
	case src[i] == '"' || src[i] == '\'':
		quote = src[i]
		i++
	// A block begins on the line after its header.
	case src[i] == '|' || src[i] == '>':
		i += bytes.IndexByte(src[i:], '\n') + 1
	}

	// i counts bytes as written, and n bytes of the meaning.
	for n := 0; n < at && i < len(src); {
		wide := 1
		means := 1 // bytes as written, and what they mean
		switch {
		case quote == '"' && src[i] == '\\':
			wide, means = escape(src[i:])
		case quote == '\'' && src[i] == '\'':
			wide = 2
		case src[i] != v.text[n] && isBlank(src[i]) && !isBlank(v.text[n]):
			means = 0 // indentation
		case src[i] != v.text[n] && !isBlank(src[i]):
			return int(v.at)
		}

		i = i + wide
		n = n + means
	}

	// The place may be behind an indentation that means nothing. It belongs to the next word.
	for at < len(v.text) && !isBlank(v.text[at]) && i < len(src) && isBlank(src[i]) {
		i++
	}
	return min(i, len(src))
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// escape returns the number of bytes of what a backslash begins, and of what it stands for.
func escape(written []byte) (wide, means int) {
	if len(written) == 1 {
		return 1, 1
	}

	switch written[1] {
	case 'x':
		return 4, meant(written, 4)
	case 'u':
		return 6, meant(written, 6)
	case 'U':
		return 10, meant(written, 10)
	case 'N', '_':
		return 2, 2
	case 'L', 'P':
		return 2, 3
	case '\n', '\r': // a line that goes on in the next
		return 1 + len(written[1:]) - len(bytes.TrimLeft(written[1:], " \t\r\n")), 0
	}

	return 2, 1
}

// meant returns the number of bytes that an escape with digits up to end stands for.
func meant(escape []byte, end int) int {
	r, err := strconv.ParseUint(string(escape[2:min(end, len(escape))]), 16, 32)
	switch {
	case err != nil || !utf8.ValidRune(rune(r)) && (r < 0xD800 || r >= 0xE000):
		return 1
	case r >= 0xD800 && r < 0xE000:
		return 2 // half of a character with four
	}
	return utf8.RuneLen(rune(r))
}
