package pipefile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// positions converts lines and columns of the YAML parser to offsets. It counts characters from the
// last place that it found: a file may have all values on one line, and would cost n².
type positions struct {
	text         []byte
	lines        []int // where each line begins
	line, column int
	offset       int
}

func positionsOf(text []byte) positions {
	p := positions{text: text, lines: []int{0}, line: 1, column: 1}
	for i := 0; i < len(text); {
		n := lineEnd(text[i:])
		if i += max(n, 1); n > 0 {
			p.lines = append(p.lines, i)
		}
	}
	return p
}

// lineEnd returns the length of the line end that text begins with: YAML 1.1 knows some that no
// editor does.
func lineEnd(text []byte) int {
	switch {
	case text[0] == '\n':
		return 1
	case text[0] == '\r':
		if len(text) > 1 && text[1] == '\n' {
			return 2
		}
		return 1

	case text[0] < 0xC2:
		return 0
	}

	switch r, n := utf8.DecodeRune(text); r {
	case '\u0085', '\u2028', '\u2029':
		return n
	}

	return 0
}

// of returns the number of bytes before a place. Lines and columns count from 1.
func (p *positions) of(line, column int) int {
	if line > len(p.lines) {
		return len(p.text)
	}

	line = max(line, 1)
	// Places are usually asked for in order. A place before the last one costs a new start from its
	// line.
	if line != p.line || column < p.column {
		p.line, p.column, p.offset = line, 1, p.lines[line-1]
	}

	for ; p.column < column && p.offset < len(p.text); p.column++ {
		_, size := utf8.DecodeRune(p.text[p.offset:])
		p.offset += size
	}

	return skipProperties(p.text, p.offset)
}

// skipProperties steps over anchors and tags to the value that they belong to, if it stands on the
// same line.
func skipProperties(text []byte, at int) int {
	i := at
	for i < len(text) && (text[i] == '&' || text[i] == '!') {
		for i < len(text) && strings.IndexByte(" \t\r\n,]}", text[i]) < 0 {
			i++
		}
		for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
			i++
		}
	}

	if i == len(text) || strings.IndexByte("\r\n,]}#", text[i]) >= 0 {
		return at
	}

	return i
}

// yamlHints are better messages than those of the parser.
var yamlHints = map[string]string{
	"found a tab character that violates indentation":              "a tab cannot indent: use spaces",
	"found a tab character where an indentation space is expected": "a tab cannot indent: use spaces",
	"mapping values are not allowed in this context":               `a colon cannot stand here: check the indentation, or put text that holds ": " in quotes`,
	"did not find expected key":                                    "the indentation does not fit the lines above, or a quote or bracket is wrong",
	"did not find expected '-' indicator":                          "the indentation does not fit the list above",
	"could not find expected ':'":                                  "a colon is missing",
	"found unexpected end of stream":                               "the closing quote is missing",
	"did not find expected ',' or ']'":                             "a comma or ] is missing, or quotes around text that holds one of , [ ] { }",
	"did not find expected ',' or '}'":                             "a comma or } is missing, or quotes around text that holds one of , [ ] { }",
}

// reportYAML reports why YAML is not valid.
func (r *yamlReader) reportYAML(err error) {
	load, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		r.report(0, "not valid YAML: %v", err)
		return
	}

	at := r.positions.of(load.Mark.Line, load.Mark.Column)
	message := load.Message
	if hint, ok := yamlHints[message]; ok {
		message = hint
	}

	if message == "found character that cannot start any token" && at < len(r.bytes) {
		message = "text cannot begin with this character: put it in quotes"
		if r.bytes[at] == '\t' {
			message = "a tab cannot indent: use spaces"
		}
	}

	// A missing quote or bracket is noticed much later than where it belongs.
	if load.ContextMark.Line > 0 {
		begin := r.positions.of(load.ContextMark.Line, load.ContextMark.Column)
		if len(bytes.TrimSpace(r.bytes[at:])) == 0 {
			at = begin // the end of the file says nothing
		} else if r.line(begin) < r.line(at) {
			message += fmt.Sprintf(" (%s that begins on line %d)", load.ContextMsg, r.line(begin))
		}
	}

	r.report(at, "not valid YAML: %s", message)
}
