package pipefile

import (
	"bytes"
	"github.com/godags/godags/internal/spec"
	"slices"
	"strings"
)

// text returns v if it is text. Otherwise it reports what the key wants, and returns numbers and
// booleans as the text that was probably meant, so that nothing that follows from the mistake is
// reported too.
func (s *source) text(key string, v value) value {
	switch v.kind {
	case text:
		if isYesNo(v.text) && string(token(s.bytes, int(v.at))) == v.text {
			s.report(int(v.at), "some YAML programs take %s for true or false: put it in quotes: %[1]q", v.text)
		}
		return v

	case number, boolean:
		v.kind, v.text = text, string(token(s.bytes, int(v.at)))
		s.report(int(v.at), "%s must be text: put it in quotes: %s", key, quote(v.text))
	case null:
		s.report(int(v.at), "%s has no value", key)
	default:
		s.report(int(v.at), "%s must be text, not %v", key, v.kind)
	}

	return v
}

func isYesNo(word string) bool {
	return len(word) <= 3 && slices.Contains([]string{"yes", "no", "on", "off"}, strings.ToLower(word))
}

// nonempty is text for which the empty text has no meaning.
func (s *source) nonempty(key string, v value) value {
	v = s.text(key, v)
	if v.kind == text && v.text == "" {
		s.report(int(v.at), "%s is empty", key)
	}
	return v
}

// texts returns the texts in a list, or a text alone as a list of one. Null is an empty list.
func (s *source) texts(key string, v value) []value {
	switch v.kind {
	case null:
		return nil
	case list:
	case mapping:
		s.report(int(v.at), "%s must be a name or a list of names, not a mapping", key)
		return nil
	default:
		v.items = []value{v}
	}

	texts := make([]value, 0, len(v.items))
	for _, item := range v.items {
		if item = s.text(key, item); item.kind == text {
			texts = append(texts, item)
		}
	}

	return texts
}

// run reads what is executed: text for a shell, or a list of a program and its arguments.
func (s *source) run(st *stage, v value) {
	words := []value{v}
	if v.kind == list {
		words = v.items
	}

	before := len(s.problems) + s.omitted
	if len(words) == 0 {
		s.report(int(v.at), "run is an empty list: it takes a program and its arguments")
	}

	for i, word := range words {
		word = s.text("run", word)
		switch {
		case word.kind == text && word.text == "" && i == 0:
			s.report(int(word.at), "run is empty: it takes a command")
		case strings.Contains(word.text, "\x00"):
			s.report(int(word.at), "no command can take the character U+0000")
		}
	}

	if st.run = v; len(s.problems)+s.omitted > before {
		st.run.kind = null // it is not checked any further
	}
}

func (s *source) params(st *stage, v value) {
	switch v.kind {
	case mapping:
		st.params = v
	case null:
	default:
		s.report(int(v.at), "params must be a mapping of names and values, not %v", v.kind)
	}
}

func (s *source) queue(p *policy, v value) {
	v = s.nonempty("queue", v)
	if v.kind != text || v.text == "" {
		return
	}
	if spec.CheckQueue(v.text) != nil {
		s.report(int(v.at), "illegal queue name %s: use up to 100 letters, digits, '.', '_' and '-'", quote(v.text))
	}
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
