package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/nearest"
)

// Types of parameters: the values of [Param.Type].
const (
	String = "string"
	Int    = "int" // a whole number of 64 bits
	Float  = "float"
	Bool   = "bool"
	List   = "list"
	Object = "object"
)

// ParamTypes returns the names of all types of parameters.
func ParamTypes() []string { return []string{String, Int, Float, Bool, List, Object} }

// MaxParam is the size in bytes of the largest value of a parameter, as JSON: commands get it in
// their environment.
const MaxParam = 64 << 10

// Bind returns the declared parameters with the values that they have in a run: those given, as
// JSON, else the defaults. The error names every given one that is not declared or has the wrong
// type, and every one without a value.
func Bind(declared []Param, given map[string]json.RawMessage) ([]Param, error) {
	bound := slices.Clone(declared)
	var problems []error
	for i := range bound {
		p := &bound[i]
		value, isGiven := given[p.Name]
		if isGiven {
			p.Value = value
		}

		if p.Value == nil {
			problems = append(problems, fmt.Errorf("parameter %q (%s) must be given: it has no default", p.Name, p.about()))
			continue
		}

		var err error
		if p.Value, err = p.Check(p.Value); err != nil {
			problems = append(problems, err)
		}
	}

	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(declared, func(p Param) bool { return p.Name == name }) {
			problems = append(problems, unknownParam(name, declared))
		}
	}

	return bound, errors.Join(problems...)
}

func unknownParam(name string, declared []Param) error {
	if len(declared) == 0 {
		return fmt.Errorf("parameter %.100q is unknown: the pipeline declares none", name)
	}

	known := make([]string, len(declared))
	for i, p := range declared {
		known[i] = p.Name
	}

	if meant := nearest.Name(name, known); meant != "" {
		return fmt.Errorf("parameter %.100q is unknown: did you mean %q?", name, meant)
	}

	return fmt.Errorf("parameter %.100q is unknown: the pipeline declares %s", name, strings.Join(known, ", "))
}

// String says all that is known of a parameter, such as "seed (int) = 42: of the forest".
func (p Param) String() string {
	text := fmt.Sprintf("%s (%s)", p.Name, p.Type)
	if p.Value != nil {
		text += " = " + string(p.Value)
	}
	if p.Description != "" {
		text += ": " + p.Description
	}
	return text
}

func (p Param) about() string {
	if p.Description == "" {
		return p.Type
	}
	return p.Type + ": " + p.Description
}

// Check returns a value of the parameter, which is JSON, in its shortest form, or says why the
// parameter cannot have it.
func (p Param) Check(value json.RawMessage) (json.RawMessage, error) {
	var short bytes.Buffer
	if err := json.Compact(&short, value); err != nil {
		return nil, fmt.Errorf("parameter %q must be %s, not %.100q", p.Name, typeText[p.Type], value)
	}
	if short.Len() > MaxParam {
		return nil, fmt.Errorf("parameter %q has %d bytes, and may have %d: hand over the path of a file", p.Name, short.Len(), MaxParam)
	}
	if err := isExact(short.Bytes()); err != nil {
		return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
	}

	switch text := short.String(); {
	case p.takes(text):
		return short.Bytes(), nil
	case isNumber(text) && p.outOfRange(text):
		return nil, fmt.Errorf("parameter %q is out of range: %.100s does not fit into the 64 bits of %s", p.Name, text, typeText[p.Type])
	default:
		return nil, fmt.Errorf("parameter %q must be %s, not %.100s", p.Name, typeText[p.Type], text)
	}
}

// isNumber reports whether valid JSON is a number.
func isNumber(value string) bool { return value[0] == '-' || value[0] >= '0' && value[0] <= '9' }

// outOfRange reports whether a number would be of the parameter's type if that had more bits.
func (p Param) outOfRange(number string) bool {
	var err error
	switch p.Type {
	case Int:
		_, err = strconv.ParseInt(number, 10, 64)
	case Float:
		_, err = strconv.ParseFloat(number, 64)
	}
	return errors.Is(err, strconv.ErrRange)
}

// isExact returns an error if valid JSON would become another value on its way into a stage.
func isExact(value []byte) error {
	if err := errors.Join(jsontext.Check(value), jsontext.CheckMembers(value)); err != nil {
		return err
	}
	if text, isText := jsontext.Text(value); isText && strings.Contains(text, "\x00") {
		return errors.New("it has the character U+0000, which no variable of a command can have")
	}
	return nil
}

var typeText = map[string]string{String: "a string", Int: "an int", Float: "a float", Bool: "true or false", List: "a list", Object: "an object"}

// takes reports whether valid JSON is of the parameter's type.
func (p Param) takes(value string) bool {
	switch p.Type {
	case String:
		return value[0] == '"'
	case Int:
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	case Float:
		f, err := strconv.ParseFloat(value, 64)
		return err == nil && !math.IsInf(f, 0)
	case Bool:
		return value == "true" || value == "false"
	case List:
		return value[0] == '['
	}

	return value[0] == '{'
}

// Parse returns what a text on a command line stands for: for a string itself, else JSON, which
// [Bind] will check.
func (p Param) Parse(text string) json.RawMessage {
	if p.Type == String {
		quoted, err := jsontext.Marshal(text)
		if err != nil {
			// it is not UTF-8: with its bytes as they are, Bind refuses it
			return json.RawMessage(`"` + text + `"`)
		}
		return quoted
	}

	return json.RawMessage(text)
}

// Text returns a value as commands and people see it: a string bare, other types as JSON.
func (p Param) Text() string {
	var text string
	if p.Type == String && json.Unmarshal(p.Value, &text) == nil {
		return text
	}
	return string(p.Value)
}

// TypeOf returns the type of a parameter with this default, or "" for null and for what is not
// JSON. A number that no type can hold is a float, which [Param.Check] finds out of range.
func TypeOf(value json.RawMessage) string {
	if !json.Valid(value) {
		return ""
	}

	text := string(bytes.TrimSpace(value))
	for _, t := range ParamTypes() { // an int comes before a float
		if p := (Param{Type: t}); p.takes(text) {
			return t
		}
	}

	if isNumber(text) {
		return Float
	}

	return ""
}

// CheckVariable returns an error unless name can be that of a parameter, a variable of the
// environment or a secret: up to 100 letters, digits and '_', no digit first.
func CheckVariable(name string) error {
	const most = 100
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return fmt.Errorf("the name %.100q can have letters, digits and _, no digit first", name)
		}
	}

	if name == "" || len(name) > most {
		return fmt.Errorf("the name %.100q has %d bytes: it can have 1 to %d", name, len(name), most)
	}

	return nil
}
