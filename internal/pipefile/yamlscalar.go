package pipefile

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

const quotedStyle = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// scalar converts a node by its tag, which the parser has found out where none is written.
func (r *yamlReader) scalar(at int, n *yaml.Node) value {
	v := value{kind: text, at: uint32(at), text: n.Value}

	// The parser takes numbers that are too large for a float64 for text. JSON, and so params, can
	// have them.
	if n.Style&(quotedStyle|yaml.TaggedStyle) == 0 && isJSONNumber(n.Value) {
		v.kind = number
		return v
	}

	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp", "!!merge":
	case "!!null":
		v.kind = null
		v.text = ""
	case "!!bool":
		// A written tag such as !!bool can stand before any text.
		v.kind, v.text = boolean, strings.ToLower(n.Value)
		if v.text != "true" && v.text != "false" {
			r.report(at, "%s is not true or false", quote(n.Value))
		}

	case "!!int", "!!float":
		var ok bool
		v.kind = number
		if v.text, ok = jsonNumber(n.Value); !ok {
			r.report(at, "%s is not a number that JSON, and so a pipeline, can have", quote(n.Value))
		} else if octal.MatchString(n.Value) {
			r.report(at, "some YAML programs read %s as octal: write it without the zero in front, or put it in quotes", n.Value)
		}

	default:
		r.report(at, "the tag %s cannot be used here", tag)
	}

	return v
}

func isJSONNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

// octal is how YAML 1.1 writes octal numbers, and 1.2 decimal ones.
var octal = regexp.MustCompile(`^[-+]?0[0-9_]+$`)

var yamlFloat = regexp.MustCompile(`^([-+]?)0*([0-9]*)(?:\.([0-9]*))?([eE][-+]?[0-9]+)?$`)

// jsonNumber writes a YAML number as JSON, with all its digits.
func jsonNumber(s string) (string, bool) {
	if isJSONNumber(s) {
		return s, true
	}

	// YAML allows 1_000, 0x1F, +5 and .5. JSON does not. Floats are rewritten as text: a conversion
	// to float64 would lose digits, and change the digest of the spec.
	s = strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(s, 0, 64); err == nil {
		return strconv.FormatInt(i, 10), true
	}
	if u, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 0, 64); err == nil {
		return strconv.FormatUint(u, 10), true
	}

	part := yamlFloat.FindStringSubmatch(s)
	if part == nil {
		return "", false
	}

	whole := part[2]
	fraction := part[3]
	if whole == "" {
		whole = "0"
	}

	if fraction != "" {
		fraction = "." + fraction
	}

	s = strings.TrimPrefix(part[1], "+") + whole + fraction + part[4]
	return s, isJSONNumber(s)
}
