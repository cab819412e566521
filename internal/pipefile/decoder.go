package pipefile

import (
	"bytes"
	"slices"
	"strings"

	"github.com/godags/godags/internal/spec"
)

// decoder reads values by the schema: keys of mappings, and what their values must be. The types
// that are read (pipeline, stage, policy) have a method for each key that needs more than one call.
type decoder struct {
	*source
	parts int // stages and dependencies so far; see maxParts
	cells int // of all matrices so far; see maxAllCells
	// where commands start, and where a relative dir counts from; "" is the worker's
	folder string
}

func newDecoder(file []byte) *decoder {
	return &decoder{source: &source{reporter: reporter{bytes: file}}}
}

// text returns v if it is text. Otherwise it reports what the key wants, and returns numbers and
// booleans as the text that was probably meant, so that nothing that follows from the mistake is
// reported too.
func (d *decoder) text(key string, v value) value {
	switch v.kind {
	case text:
		// This parser follows YAML 1.2, where they are text. In YAML 1.1 they are booleans.
		if isYesNo(v.text) && string(token(d.bytes, int(v.at))) == v.text {
			d.report(int(v.at), "some YAML programs take %s for true or false: put it in quotes: %[1]q", v.text)
		}
		return v

	case number, boolean:
		// As it is written: 1.10 as a name is "1.10", not the number 1.1.
		v.kind, v.text = text, string(token(d.bytes, int(v.at)))
		d.report(int(v.at), "%s must be text: put it in quotes: %s", key, quote(v.text))
	case null:
		d.report(int(v.at), "%s has no value", key)
	default:
		d.report(int(v.at), "%s must be text, not %v", key, v.kind)
	}

	return v
}

func isYesNo(word string) bool {
	return len(word) <= 3 && slices.Contains([]string{"yes", "no", "on", "off"}, strings.ToLower(word))
}

// nonempty is text for which the empty text has no meaning.
func (d *decoder) nonempty(key string, v value) value {
	v = d.text(key, v)
	if v.kind == text && v.text == "" {
		d.report(int(v.at), "%s is empty", key)
	}
	return v
}

// texts returns the texts in a list, or a text alone as a list of one. Null is an empty list.
func (d *decoder) texts(key string, v value) []value {
	switch v.kind {
	// An empty "after:" is what remains when the last name is removed.
	case null:
		return nil
	case list:
	case mapping:
		d.report(int(v.at), "%s must be a name or a list of names, not a mapping", key)
		return nil
	default:
		v.items = []value{v}
	}

	texts := make([]value, 0, len(v.items))
	for _, item := range v.items {
		if item = d.text(key, item); item.kind == text {
			texts = append(texts, item)
		}
	}

	return texts
}

// readRun reads what is executed: text for a shell, or a list of a program and its arguments.
func (st *stage) readRun(d *decoder, v value) {
	words := []value{v}
	if v.kind == list {
		words = v.items
	}

	before := d.reported()
	if len(words) == 0 {
		d.report(int(v.at), "run is an empty list: it takes a program and its arguments")
	}

	// Later words may be empty: programs take empty arguments.
	for i, word := range words {
		word = d.text("run", word)
		switch {
		case word.kind == text && word.text == "" && i == 0:
			d.report(int(word.at), "run is empty: it takes a command")
		case strings.Contains(word.text, "\x00"):
			d.report(int(word.at), "no command can take the character U+0000")
		}
	}

	if st.run = v; d.reported() > before {
		st.run.kind = null // it is not checked any further
	}
}

func (st *stage) readParams(d *decoder, v value) {
	switch v.kind {
	case mapping:
		st.params = v
	case null:
	default:
		d.report(int(v.at), "params must be a mapping of names and values, not %v", v.kind)
	}
}

func (p *policy) readQueue(d *decoder, v value) {
	v = d.nonempty("queue", v)
	if v.kind != text || v.text == "" {
		return
	}
	if spec.CheckQueue(v.text) != nil {
		d.report(int(v.at), "illegal queue name %s: use up to 100 letters, digits, '.', '_' and '-'", quote(v.text))
	}
	// An illegal name is kept too. It has been reported, and the spec is not used.
	p.queue = v.text
}

// token returns the text of a scalar as it is written, up to the end of its line, and not more than
// anybody wants to see.
func token(src []byte, at int) []byte {
	const most = 200
	src = src[min(at, len(src)):min(at+most, len(src))]
	if i := bytes.IndexAny(src, "\r\n"); i >= 0 {
		src = src[:i]
	}

	if len(src) == 0 {
		return src
	}

	switch src[0] {
	case '"', '\'':
		// A quoted text ends at its quote, which a backslash escapes in double quotes.
		for i := 1; i < len(src); i++ {
			if src[i] == '\\' && src[0] == '"' {
				i++
			} else if src[i] == src[0] {
				return src[:i+1]
			}
		}
		return src

	case '[', ']', '{', '}', ',':
		return src[:1]
	}

	// Other scalars end at what introduces the next value, or at a comment.
	end := len(src)
	for _, stop := range []string{",", "]", "}", ": ", " #"} {
		if i := bytes.Index(src[:end], []byte(stop)); i > 0 {
			end = i
		}
	}

	if bytes.HasSuffix(src[:end], []byte(":")) {
		end--
	}
	return bytes.TrimRight(src[:end], " \t")
}
