package pipefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// jsonReader finds the values in valid JSON, with their positions, which encoding/json does not
// have. encoding/json has checked the syntax before, so the reader is short and meets no syntax
// errors.
type jsonReader struct {
	*source
	pos    int
	depth  int  // of the lists and mappings that pos is in
	stream bool // leave the list of stages open
}

// readJSON returns the value of the file. If stream is true, the list under the key stages is left
// open.
func (s *source) readJSON(stream bool) (value, bool) {
	if len(bytes.TrimSpace(s.bytes)) == 0 {
		return value{kind: null}, true
	}

	if !json.Valid(s.bytes) {
		s.reportJSON()
		return value{}, false
	}

	// From here on the syntax is known to be right: the reader needs no check of bounds.
	r := jsonReader{source: s, stream: stream}
	return r.value()
}

// within returns a reader for the items of an open list.
func (s *source) within(v value) *jsonReader {
	return &jsonReader{source: s, pos: int(v.at) + 1, depth: 2} // in the pipeline, in the list
}

// openList skips a list and returns it as an open one.
func (r *jsonReader) openList() value {
	at := r.pos
	depth := 0
	// Only brackets and quotes matter. They balance, since the JSON is valid.
	for {
		switch r.bytes[r.pos] {
		case '"':
			for r.pos++; r.bytes[r.pos] != '"'; r.pos++ {
				if r.bytes[r.pos] == '\\' {
					r.pos++
				}
			}

		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}

		if r.pos++; depth == 0 {
			return value{kind: list, at: uint32(at), open: true}
		}
	}
}

// value reads the next value. It returns false if the rest need not be read.
func (r *jsonReader) value() (v value, ok bool) {
	r.skip(" \t\r\n")
	at := r.pos
	switch c := r.bytes[at]; c {
	case '{':
		return r.mapping()
	case '[':
		return r.list()
	case '"':
		v = value{kind: text, text: r.text()}
	default:
		v = r.literal(c)
	}

	v.at = uint32(at)
	return v, r.weigh(at, valueWeight+len(v.text))
}

func (r *jsonReader) skip(chars string) {
	for r.pos < len(r.bytes) && strings.IndexByte(chars, r.bytes[r.pos]) >= 0 {
		r.pos++
	}
}

// more reports whether another item comes before the closing bracket, and steps to either.
func (r *jsonReader) more(closing byte) bool {
	// Commas can be skipped like blanks: valid JSON has them exactly where they belong.
	r.skip(" \t\r\n,")
	return r.bytes[r.pos] != closing
}

func (r *jsonReader) list() (value, bool) {
	at := r.pos
	var items []value
	r.depth++
	for r.pos++; r.more(']'); {
		v, ok := r.value()
		if !ok {
			return v, false
		}
		items = append(items, v)
	}

	r.pos++
	return r.collected(list, at, items), r.weigh(at, valueWeight)
}

// collected makes the list or mapping that ends here.
func (r *jsonReader) collected(k kind, at int, items []value) value {
	r.depth--
	// The recursion is bounded by encoding/json, which refuses more than 10,000 levels.
	if r.depth >= maxDepth {
		return r.deep(at)
	}
	return r.collect(k, at, items)
}

func (r *jsonReader) mapping() (value, bool) {
	at := r.pos
	var m members
	r.depth++
	for r.pos++; r.more('}'); {
		key, ok := r.value()
		if !ok {
			return key, false
		}

		r.skip(" \t\r\n:")
		var v value
		// A large file is one long list of stages. As a tree of values it would take some
		// gigabytes.
		if r.stream && r.depth == 1 && key.text == "stages" && r.bytes[r.pos] == '[' {
			v = r.openList()
		} else if v, ok = r.value(); !ok {
			return v, false
		}

		r.addNew(&m, key, v)
	}

	r.pos++
	return r.collected(mapping, at, m.items), r.weigh(at, valueWeight)
}

func (r *jsonReader) literal(c byte) value {
	begin := r.pos
	for r.pos < len(r.bytes) && strings.IndexByte(",]} \t\r\n", r.bytes[r.pos]) < 0 {
		r.pos++
	}

	switch c {
	case 'n':
		return value{kind: null}
	case 't', 'f':
		return value{kind: boolean, text: string(r.bytes[begin:r.pos])}
	}

	return value{kind: number, text: string(r.bytes[begin:r.pos])}
}

func (r *jsonReader) text() string {
	begin := r.pos
	escaped := false
	for r.pos++; r.bytes[r.pos] != '"'; r.pos++ {
		if r.bytes[r.pos] == '\\' {
			escaped = true
			r.pos++
		}
	}

	r.pos++
	quoted := r.bytes[begin:r.pos]
	// Most texts have no escapes, and need no second decoder.
	if !escaped {
		return string(quoted[1 : len(quoted)-1])
	}

	return r.unquote(begin, quoted)
}

// unquote reports half of a surrogate pair, which encoding/json replaces silently.
func (r *jsonReader) unquote(at int, quoted []byte) string {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		r.report(at, "not valid JSON: %v", err)
	}

	// A file may have U+FFFD itself, or its escape. Only those beyond are replacements.
	written := bytes.Count(quoted, []byte("\uFFFD")) + bytes.Count(bytes.ToLower(quoted), []byte(`\ufffd`))
	if strings.Count(s, string(utf8.RuneError)) > written {
		r.report(at, "half of a surrogate pair is no character: \\ud800 to \\udfff come in twos")
	}
	return s
}

// reportJSON reports why JSON is not valid.
func (s *source) reportJSON() {
	err := json.Unmarshal(s.bytes, new(json.RawMessage))
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		s.report(0, "not valid JSON: %v", err)
		return
	}
	// The offset of this error is behind the last byte, which shows an empty line.
	if strings.Contains(err.Error(), "unexpected end") {
		s.report(len(bytes.TrimSpace(s.bytes)), "the file ends in the middle: a closing bracket or quote is missing")
		return
	}

	s.report(s.explain(err.Error(), min(max(int(syntax.Offset)-1, 0), len(s.bytes)-1)))
}

// explain returns a better message than encoding/json for common mistakes, and its place.
func (s *source) explain(message string, at int) (place int, text string) {
	c := s.bytes[at]
	before := bytes.TrimRight(s.bytes[:at], " \t\r\n")
	// encoding/json has no codes for its errors, only texts. Texts that it may change one day get
	// the last message.
	is := func(part string) bool { return strings.Contains(message, part) }
	switch {
	case c == '/' || c == '#':
		return at, "JSON has no comments: remove this one"
	case (c == ']' || c == '}') && bytes.HasSuffix(before, []byte(",")):
		return len(before) - 1, "JSON does not allow a comma before " + string(c) + ": remove it"
	case c < ' ' && is("in string literal"):
		return at, `text in JSON cannot hold a line end or tab: write \n or \t`
	case c == '\'':
		return at, "JSON wants text in double quotes, not in single ones"
	case is("after object key:value") || is("after array element"):
		if strings.IndexByte(`"{[`, c) >= 0 || at > len(before) {
			return at, "a comma is missing before this"
		}
	case is("after object key"):
		return at, "a colon is missing before this"
	case is("after top-level"):
		return at, "the JSON value has ended before this"
	case is("in literal") || is("looking for beginning of") && unicode.IsLetter(rune(c)):
		word := bytes.TrimRightFunc(s.bytes[:at], unicode.IsLetter)
		return len(word), "JSON wants text in double quotes: only numbers, true, false and null go without"
	}

	return at, "not valid JSON: " + message
}
