package pipefile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The model of a file: nil, bool, literal (a number), string, []any or object.
type (
	literal string
	object  []member
	member  struct {
		key   string
		value any
	}
)

// A random file that is written in both formats means the same in both, and the same is wrong with
// it at the same places.
func TestFormatsMeanTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := drawFile(t)
		w := writer{t: t, anchors: map[string]string{}, texts: map[string]string{}}
		inJSON := newDecoder([]byte(w.json(model)))
		inYAML := newDecoder([]byte("# YAML" + w.block(model, 0)))
		a, b := inJSON.parse(true, "p.json", known{}), inYAML.parse(false, "p.yaml", known{})
		found, want := findings(t, inYAML, w.texts), findings(t, inJSON, nil)
		if !slices.Equal(found, want) {
			t.Fatalf("%s\n%s\nYAML has the problems\n%q, and JSON\n%q", inYAML.bytes, inJSON.bytes, found, want)
		}
		if describe(a) != describe(b) {
			t.Fatalf("%s\n%s\nYAML gives\n%s, and JSON\n%s", inYAML.bytes, inJSON.bytes, describe(b), describe(a))
		}
	})
}

var (
	firstLine = regexp.MustCompile(`: first on line \d+$`)
	ofMapping = regexp.MustCompile(`not a (mapping|list)( or a mapping)?$|has no (name|value)$|: task train: |^params |^a value of a matrix|(is for a stage|a list is executed)|such as |: when: `)
)

// findings returns what was reported, and what is written at the place, sorted.
func findings(t *rapid.T, s *decoder, anchors map[string]string) []string {
	var found []string
	for _, p := range s.problems {
		at := string(token(s.bytes, p.at))
		switch {
		case at != "" && strings.Contains("[{-", at[:1]), ofMapping.MatchString(p.message):
			at = "" // in YAML, lists and mappings begin with what is in them
		case strings.HasPrefix(at, "*"):
			at = anchors[at[1:]]
		case strings.HasPrefix(at, `"`):
			if err := json.Unmarshal([]byte(at), &at); err != nil {
				t.Fatalf("%s is not the text at %d of %s", at, p.at, s.bytes)
			}
		}
		found = append(found, fmt.Sprintf("%s %q (%s)", firstLine.ReplaceAllString(p.message, ""), p.suggestion, at))
	}
	slices.Sort(found)
	return found
}

var (
	words   = rapid.SampledFrom([]string{"a", "b", "c", "ingest", "train_1", "ä 日本", "x: y", "- z", "yes", "5", "#", "true", " ", "", "\t\n", `"\`, "😀", "<<", "'", "2024-01-01", "~", "*", "&a"})
	numbers = rapid.SampledFrom([]string{"0", "-0", "1", "-12", "1.50", "1e3", "1E+400", "123456789012345678901234567890", "0.1"})
)

func drawFile(t *rapid.T) any {
	var stages []any
	for range rapid.IntRange(0, 6).Draw(t, "stages") {
		stages = append(stages, drawStage(t))
	}
	file := object{{"stages", stages}}
	if rapid.Bool().Draw(t, "with params") {
		file = append(file, member{"params", object{{"x", words.Draw(t, "x")}, {"n", object{{"type", "int"}}}}}, member{"defaults", object{{"retries", literal("2")}}})
	}
	if rapid.Bool().Draw(t, "named") {
		file = append(file, member{"name", words.Draw(t, "name")})
	}
	return file
}

func drawStage(t *rapid.T) any {
	st := object{{"name", words.Draw(t, "name")}}
	if rapid.Bool().Draw(t, "has after") {
		st = append(st, member{"after", rapid.OneOf(rapid.Map(words, toAny), rapid.Just[any](nil), drawWords()).Draw(t, "after")})
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		st = append(st, member{"run", rapid.OneOf(rapid.Map(words, toAny), drawWords()).Draw(t, "run")})
	case 1:
		st = append(st, member{"task", "noop"}, member{"params", drawObject(t, 3)})
	case 2:
		st = append(st, member{"task", "train"}, member{"params", object{{"trees", drawValue(t, 1)}}})
	}
	if rapid.Bool().Draw(t, "has queue") {
		st = append(st, member{"queue", words.Draw(t, "queue")})
	}
	switch rapid.IntRange(0, 9).Draw(t, "policy") {
	case 0:
		st = append(st, member{"retries", literal("3")}, member{"backoff", object{{"initial", "10s"}, {"jitter", literal("0.5")}}}, member{"when", "params.x == 'x'"})
	case 1:
		st = append(st, member{"matrix", object{{"os", []any{"x", literal("1.50")}}, {"n", []any{true}}}}, member{"env", object{{"A", "c"}}})
	case 2:
		st = append(st, member{"for_each", words.Draw(t, "list")}, member{"max_parallel", literal("2")})
	case 3:
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(names(policyKeys)), 1, 3, rapid.ID).Draw(t, "keys") {
			if key != "queue" {
				st = append(st, member{key, drawValue(t, 2)})
			}
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
		st[rapid.IntRange(0, len(st)-1).Draw(t, "which")] = member{words.Draw(t, "key"), drawValue(t, 2)}
	}
	return rapid.Permutation(st).Draw(t, "stage")
}

func toAny(s string) any { return s }

func drawWords() *rapid.Generator[any] {
	return rapid.Map(rapid.SliceOfN(rapid.Map(words, toAny), 0, 4), func(s []any) any { return s })
}

func drawObject(t *rapid.T, depth int) any {
	o := object{}
	for _, key := range rapid.SliceOfN(words, 0, 4).Draw(t, "keys") {
		o = append(o, member{key, drawValue(t, depth-1)})
	}
	return o
}

func drawValue(t *rapid.T, depth int) any {
	switch rapid.IntRange(0, 5-2*max(0, 1-depth)).Draw(t, "type") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return literal(numbers.Draw(t, "number"))
	case 4:
		items := make([]any, rapid.IntRange(0, 3).Draw(t, "items"))
		for i := range items {
			items[i] = drawValue(t, depth-1)
		}
		return items
	case 5:
		return drawObject(t, depth)
	}
	return words.Draw(t, "text")
}

// writer writes a model in the many ways that a format has for it.
type writer struct {
	t       *rapid.T
	anchors map[string]string // by text
	texts   map[string]string // by anchor
}

func (w *writer) choose(of ...string) string { return rapid.SampledFrom(of).Draw(w.t, "style") }

func (w *writer) json(v any) string {
	space := func() string { return w.choose("", " ", "\n", "\r\n\t") }
	var parts []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			parts = append(parts, space()+w.json(item)+space())
		}
		return "[" + space() + strings.Join(parts, ",") + "]"
	case object:
		for _, m := range v {
			parts = append(parts, space()+quoted(m.key)+space()+":"+space()+w.json(m.value)+space())
		}
		return "{" + space() + strings.Join(parts, ",") + "}"
	case string:
		return quoted(v)
	}
	return plain(v)
}

func quoted(s string) string { return string(appendText(nil, s)) }

func plain(v any) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(v)
}

// block writes what comes behind "key:" or "-".
func (w *writer) block(v any, indent int) string {
	end := w.choose("\n", "\r\n", " # comment\n", "\n\n")
	margin := strings.Repeat(" ", indent)
	var b strings.Builder
	items, _ := v.([]any)
	members, _ := v.(object)
	if indent > 0 && len(items)+len(members) == 0 || w.choose("block", "block", "flow") == "flow" {
		return cmp.Or(map[bool]string{true: "\n"}[indent == 0], " ") + w.flow(v) + end
	}
	b.WriteString(end)
	for _, item := range items {
		b.WriteString(margin + "-" + w.block(item, indent+2))
	}
	for _, m := range members {
		b.WriteString(margin + w.text(m.key, false) + ":" + w.block(m.value, indent+1+len(w.choose("", " "))))
	}
	return b.String()
}

func (w *writer) flow(v any) string {
	var parts []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			parts = append(parts, w.flow(item))
		}
		return "[" + strings.Join(parts, w.choose(", ", " , ", ",\n     ")) + "]"
	case object:
		for _, m := range v {
			parts = append(parts, w.text(m.key, false)+": "+w.flow(m.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case string:
		return w.text(v, true)
	case nil:
		return w.choose("null", "~", "Null")
	case bool:
		return w.choose("", "!!bool ") + fmt.Sprint(v)
	}
	return plain(v)
}

var safe = regexp.MustCompile(`^[a-z_0-9äöü日本 -]*[a-z]$|^\d{4}-\d\d-\d\d$`)

// text writes text without quotes when that is the same, and sometimes with an anchor, or as an
// alias.
func (w *writer) text(s string, anchors bool) string {
	written := quoted(s)
	if safe.MatchString(s) && !isYesNo(s) && s != "true" && s[0] != ' ' && s[0] != '-' {
		written = w.choose(s, written)
	}
	if !anchors {
		return written
	}
	name, known := w.anchors[s]
	switch use := w.choose("", "", "anchor", "alias", "tag"); {
	case use == "alias" && known:
		return "*" + name
	case use == "anchor":
		name = fmt.Sprintf("a%d", len(w.texts))
		w.anchors[s], w.texts[name] = name, s
		return "&" + name + " " + written
	case use == "tag" && written == quoted(s):
		return "!!str " + written
	}
	return written
}
