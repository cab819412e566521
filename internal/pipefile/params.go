package pipefile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// ReadParams reads values of parameters, as JSON, from a file of at most [MaxSize] bytes that is a
// mapping. The extension says what it is: .yaml, .yml or .json. An error about what the file says
// is a [*FileError].
func ReadParams(path string) (map[string]json.RawMessage, error) {
	data, err := load(path, MaxSize)
	if err != nil {
		return nil, err
	}

	isJSON, err := formatOf(path)
	if err != nil {
		return nil, err
	}

	// Some editors on Windows put a byte order mark at the front, which encoding/json refuses.
	d := newDecoder(bytes.TrimPrefix(data, []byte("\uFEFF")))
	params := make(map[string]json.RawMessage)
	if root, ok := d.read(isJSON, false); ok {
		d.members("a file of parameters", root, func() {
			for i := 0; i < len(root.items); i += 2 {
				params[root.items[i].text] = appendJSON(nil, root.items[i+1])
			}
		})
	}

	if len(d.problems) > 0 {
		return nil, d.fileError(path)
	}

	return params, nil
}

// appendJSON writes v as JSON without spaces, with sorted keys and with numbers as they are:
// parameters that are the same are written the same.
func appendJSON(b []byte, v value) []byte {
	switch v.kind {
	case boolean, number:
		return append(b, v.text...)
	case text:
		return appendText(b, v.text)
	case list:
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')

	case mapping:
		return appendMapping(b, v)
	}

	return append(b, "null"...)
}

func appendMapping(b []byte, v value) []byte {
	// Sorted positions instead of sorted items: the value is shared with others, and must not
	// change.
	keys := make([]int, 0, len(v.items)/2)
	for i := 0; i < len(v.items); i += 2 {
		keys = append(keys, i)
	}

	slices.SortFunc(keys, func(i, j int) int { return strings.Compare(v.items[i].text, v.items[j].text) })
	b = append(b, '{')
	for n, i := range keys {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, v.items[i].text), ':')
		b = appendJSON(b, v.items[i+1])
	}

	return append(b, '}')
}

func appendText(b []byte, s string) []byte {
	// The encoder allocates, and most texts need no escape.
	plain := func(r rune) bool { return r >= ' ' && r < 0x7f && r != '"' && r != '\\' }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return append(append(append(b, '"'), s...), '"')
	}

	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false) // parameters are often shell commands, and people read them
	_ = e.Encode(s)        // a string and a buffer cannot fail
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}
