package api

import (
	"unicode/utf8"

	"github.com/godags/godags/internal/term"
)

// AppendString appends a JSON string. It escapes what encoding/json escapes without HTML, and
// hidden characters as [term.EscapeJSON] does. It does not allocate.
func AppendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		// Nearly all bytes are of this kind. They are copied in runs, below, and not one by one.
		if b >= ' ' && b < 0x7f && b != '"' && b != '\\' {
			i++
			continue
		}

		// A byte that is not UTF-8 decodes to the replacement character, as in encoding/json.
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && !term.Hidden(r, size) {
			i += size
			continue
		}

		buf = append(buf, s[start:i]...)
		buf = appendEscaped(buf, r)
		i += size
		start = i
	}

	buf = append(buf, s[start:]...)
	return append(buf, '"')
}

func appendEscaped(buf []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(buf, '\\', byte(r))
	case '\b':
		return append(buf, `\b`...)
	case '\f':
		return append(buf, `\f`...)
	case '\n':
		return append(buf, `\n`...)
	case '\r':
		return append(buf, `\r`...)
	case '\t':
		return append(buf, `\t`...)
	}

	return term.AppendEscaped(buf, r)
}
