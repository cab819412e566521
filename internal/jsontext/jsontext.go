// Package jsontext finds what encoding/json changes without an error. It puts U+FFFD in place of
// bytes that are not UTF-8 and of halves of surrogate pairs, and of several members of an object
// with one name it keeps the last.
package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Check returns an error if data, which is JSON, holds text that is not exact: bytes that are not
// UTF-8, or half of a surrogate pair.
func Check(data []byte) error {
	if !utf8.Valid(data) {
		at := invalidAt(string(data))
		return fmt.Errorf("it is not UTF-8: byte %d is %q, in %s", at+1, data[at:at+1], around(data, at))
	}

	// Most JSON has few backslashes, and IndexByte is much faster than a look at each byte.
	for at := 0; ; {
		next := bytes.IndexByte(data[at:], '\\')
		if next < 0 || at+next+1 >= len(data) {
			return nil
		}

		at += next
		unit, escaped := codeUnit(data[at:])
		switch {
		case !escaped:
			at += 2
		case unit < 0xD800 || unit > 0xDFFF:
			at += 6
		default:
			low, follows := codeUnit(data[at+6:])
			if unit > 0xDBFF || !follows || low < 0xDC00 || low > 0xDFFF {
				return fmt.Errorf("it has %s, half of a surrogate pair, which is no character, in %s", data[at:at+6], around(data, at))
			}
			at += 12
		}
	}
}

// codeUnit returns the UTF-16 code unit of an escape such as \u20ac that data begins with.
func codeUnit(data []byte) (unit uint64, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return unit, err == nil
}

// invalidAt returns where the first byte is that is not UTF-8, or -1.
func invalidAt(text string) int {
	for at, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[at:]); size == 1 {
			return at
		}
	}

	return -1
}

// around quotes some bytes about a place, for messages.
func around(data []byte, at int) string {
	const before, after = 20, 30
	return fmt.Sprintf("%q", data[max(0, at-before):min(len(data), at+after)])
}

// CheckText returns an error if text is not UTF-8.
func CheckText(text string) error {
	if at := invalidAt(text); at >= 0 {
		return fmt.Errorf("the text is not UTF-8: byte %d is %q, in %s", at+1, text[at:at+1], around([]byte(text), at))
	}
	return nil
}

// CheckMembers returns an error if an object in data, which is valid JSON, has two members with one
// name.
func CheckMembers(data []byte) error {
	if bytes.IndexByte(data, '{') < 0 {
		return nil
	}

	type level struct {
		names map[string]bool // nil in a list
		value bool            // a value comes next, not a name
	}
	var levels []level
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return nil // the end, or not valid, which the reader of the value says
		}

		top := len(levels) - 1
		if name, isText := token.(string); isText && top >= 0 && levels[top].names != nil && !levels[top].value {
			if levels[top].names[name] {
				return fmt.Errorf("an object has the name %.100q twice", name)
			}
			levels[top].names[name] = true
			levels[top].value = true
			continue
		}

		if top >= 0 {
			levels[top].value = false
		}

		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: make(map[string]bool)})
		case json.Delim('['):
			levels = append(levels, level{})
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:top]
		}
	}
}

// Text returns the text of a JSON string, and false for any other value.
func Text(value json.RawMessage) (string, bool) {
	var text string
	if trimmed := bytes.TrimLeft(value, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '"' || json.Unmarshal(value, &text) != nil {
		return "", false
	}
	return text, true
}
