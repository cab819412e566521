package pipefile

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	excerptBefore = 60  // the most characters that are shown before the caret
	excerptWidth  = 100 // about the most columns that are shown of a line
)

// excerpt shows the line that a place is on, and marks what begins there.
func excerpt(src []byte, at, line int) string {
	begin, marked := at, len(token(src, at))
	var text strings.Builder
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
	width, carets := caret, 0
	for i := begin; i < len(src) && src[i] != '\n'; {
		if i > at && width > excerptWidth {
			text.WriteString("...")
			break
		}
		r, size := utf8.DecodeRune(src[i:])
		if r == '\r' && (i+1 == len(src) || src[i+1] == '\n') {
			break
		}
		s, columns := show(r, size)
		text.WriteString(s)
		width += columns
		if i < at {
			caret += columns
		} else if i < at+marked {
			carets += columns
		}
		i += size
	}
	number := fmt.Sprintf("%5d", line)
	above := strings.TrimRight(number+" | "+text.String(), " ")
	below := strings.Repeat(" ", len(number)) + " | " + strings.Repeat(" ", caret) + strings.Repeat("^", max(carets, 1))
	return above + "\n" + below
}

// show returns a character in the form in which it can be shown, and the number of columns that it takes.
func show(r rune, size int) (string, int) {
	switch {
	case r == utf8.RuneError && size == 1:
		return "?", 1
	case r == '\t':
		return "    ", 4
	case !unicode.IsPrint(r):
		quoted := strconv.QuoteRune(r)
		return quoted[1 : len(quoted)-1], len(quoted) - 2
	case unicode.Is(unicode.Mn, r):
		return string(r), 0
	case isWide(r):
		return string(r), 2
	}
	return string(r), 1
}

// isWide reports whether terminals give a character two columns.
func isWide(r rune) bool {
	return r >= 0x1100 && (unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) ||
		r >= 0x3000 && r <= 0x303E || r >= 0xFF01 && r <= 0xFF60 || r >= 0x1F300 && r <= 0x1F64F || r >= 0x1F900 && r <= 0x1FAFF)
}

// within returns where a part of a text is in the file: its beginning is at bytes behind that of the text.
func within(src []byte, v value, at int) int {
	written := token(src, int(v.at))
	if len(written) == 0 {
		return int(v.at)
	}
	quote := written[0]
	if quote != '"' && quote != '\'' {
		return int(v.at) + behind(src[v.at:], v.text, at)
	}
	i := 1
	for n := 0; n < at && i < len(written)-1; {
		wide, means := 1, 1 // bytes as written, and what they mean
		switch {
		case quote == '"' && bytes.HasPrefix(written[i:], []byte(`\u`)):
			wide, means = 6, meant(written[i:])
		case quote == '\'' && written[i] == '\'', quote == '"' && written[i] == '\\':
			wide = 2
		}
		i, n = i+wide, n+means
	}
	return int(v.at) + min(i, len(written)-1)
}

// meant returns the number of bytes that \u and four digits stand for.
func meant(escape []byte) int {
	r, err := strconv.ParseUint(string(escape[2:min(6, len(escape))]), 16, 16)
	switch {
	case err != nil:
		return 1
	case r >= 0xD800 && r < 0xE000:
		return 2 // half of a character with four
	}
	return utf8.RuneLen(rune(r))
}

// behind finds the line of a text that a part begins on in what is written, which may be indented, and returns where the part is.
func behind(written []byte, text string, at int) int {
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[begin:], "\n")
	if i := bytes.Index(written, []byte(line)); i >= 0 && line != "" {
		return i + at - begin
	}
	return 0
}
