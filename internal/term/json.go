package term

import (
	"unicode/utf16"
	"unicode/utf8"
)

// EscapeJSON makes JSON safe for a terminal without changing its meaning. Hidden characters in
// strings become \uXXXX, and bytes that are not UTF-8 become \ufffd. Line feeds and tabs between
// values stay.
func EscapeJSON(text []byte) []byte {
	at := hidden(text)
	// Nearly all JSON needs no change: then nothing is copied.
	if at == len(text) {
		return text
	}

	escaped := make([]byte, 0, len(text)+64)
	for {
		escaped = append(escaped, text[:at]...)
		if text = text[at:]; len(text) == 0 {
			return escaped
		}
		r, size := utf8.DecodeRune(text)
		escaped = AppendEscaped(escaped, r)
		text = text[size:]
		at = hidden(text)
	}
}

// hidden returns the index of the first character that must be escaped, or the length of the text.
func hidden(text []byte) int {
	for i := 0; i < len(text); {
		// Line feeds and tabs are below 0x20 too: in valid JSON such a byte is never in a string.
		if b := text[i]; b < utf8.RuneSelf && b != 0x7f {
			i++
			continue
		}

		r, size := utf8.DecodeRune(text[i:])
		if Hidden(r, size) {
			return i
		}

		i += size
	}

	return len(text)
}

// Hidden reports whether a character must be escaped for a terminal. The size in bytes
// distinguishes a replacement character from a byte that is not UTF-8.
func Hidden(r rune, size int) bool { return r == utf8.RuneError && size <= 1 || !visible(r) }

// AppendEscaped appends a character as \uXXXX, or as a surrogate pair of two.
func AppendEscaped(text []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendUnit(appendUnit(text, high), low)
	}
	return appendUnit(text, r)
}

func appendUnit(text []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(text, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
