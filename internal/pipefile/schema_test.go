package pipefile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A schema is for editors: it must not mark what is right. That it marks much of what is wrong is
// what it is good for.
func TestSchemaAgreesWithTheReader(t *testing.T) {
	schema := loadSchema(t)
	wrong, marked := 0, 0
	for _, path := range glob(t, "testdata/*.txtar") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range parseArchive(data).files {
			if _, err := formatOf(f.name); err != nil {
				continue
			}
			content := []byte(strings.TrimSuffix(f.content, "\n"))
			_, readerSays := Parse(f.name, content, known{})
			root, ok := content2any(f.name, content)
			if !ok {
				continue // it is no YAML or JSON at all
			}
			schemaSays := schema.check(root)
			switch {
			case readerSays == nil && schemaSays != nil:
				t.Errorf("%s of %s is right, but the schema says: %v", f.name, path, schemaSays)
			case readerSays != nil && schemaSays != nil:
				marked++
				fallthrough
			case readerSays != nil:
				wrong++
			}
		}
	}
	if marked < 20 || marked*2 < wrong {
		t.Errorf("of %d files that are wrong the schema marks %d", wrong, marked)
	}
}

// What the schema must mark, one thing in each.
func TestSchemaMarksSlips(t *testing.T) {
	schema := loadSchema(t)
	for _, stage := range []string{
		`aftr: b`, `run: 5`, `run: []`, `run: a, task: b`, `params: {a: b}`, `retries: -1`, `retries: "3"`, `backoff: 10`, `backoff: {jitter: 2}`, `timeout: 5 minutes`,
		`trigger: never`, `max_parallel: 3`, `run: a, for_each: b, matrix: {a: [1]}`, `run: a, matrix: {a: []}`, `dir: x`, `run: a, env: {A: 5}`, `run: a, env: {9A: x}`,
		`run: a, shell: bash`, `run: a, no_retry_codes: 0`, `when: true`,
	} {
		root, ok := content2any("p.yaml", []byte("stages: [{name: a, "+stage+"}]"))
		if !ok || schema.check(root) == nil {
			t.Errorf("the schema does not mark %s", stage)
		}
	}
	for _, file := range []string{`{}`, `stages: []`, `stages: [{run: a}]`, `name: 5, stages: [{name: a}]`, `on_failure: go, stages: [{name: a}]`,
		`params: {a: {}}, stages: [{name: a}]`, `params: {a: null}, stages: [{name: a}]`, `defaults: {name: a}, stages: [{name: a}]`} {
		if root, ok := content2any("p.yaml", []byte("{"+strings.Trim(file, "{}")+"}")); ok && schema.check(root) == nil {
			t.Errorf("the schema does not mark %s", file)
		}
	}
}

const schemaFile = "../../docs/pipeline.schema.json"

func TestSchemaFileIsWhatTheCommandPrints(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(schemaFile)
	if err == nil && string(got) == string(want) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what `coordinator schema` prints: run the test with -update (%v)", schemaFile, err)
	}
	if err := os.WriteFile(schemaFile, want, 0o666); err != nil {
		t.Fatal(err)
	}
}

// Every example is right, and an editor knows what it is.
func TestExamples(t *testing.T) {
	schema := loadSchema(t)
	for _, path := range glob(t, "../../examples/*/*.yaml") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(data), "# yaml-language-server: $schema=../../docs/pipeline.schema.json\n") {
			t.Errorf("%s does not begin with the line that names the schema", path)
		}
		root, ok := content2any(path, data)
		if !ok {
			t.Fatalf("%s cannot be read", path)
		}
		if err := schema.check(root); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := Read(path, nil); err != nil {
			t.Error(err)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	return paths
}

// content2any returns what a file holds as encoding/json has it.
func content2any(name string, content []byte) (root any, ok bool) {
	s := newDecoder(content)
	v, ok := s.read(strings.HasSuffix(name, ".json"), false)
	if !ok || len(s.problems) > 0 || json.Unmarshal(appendJSON(nil, v), &root) != nil {
		return nil, false
	}
	return root, true
}

// jsonSchema knows the words of JSON Schema that ours is made of, and no others.
type jsonSchema struct {
	root map[string]any
}

func loadSchema(t *testing.T) jsonSchema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s jsonSchema
	if err := json.Unmarshal(text, &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s jsonSchema) check(v any) error { return s.valid(s.root, v) }

func (s jsonSchema) valid(schema map[string]any, v any) error {
	for word, arg := range schema {
		if err := s.word(schema, word, arg, v); err != nil {
			return err
		}
	}
	return nil
}

func (s jsonSchema) word(schema map[string]any, word string, arg, v any) error {
	fail := func() error { return fmt.Errorf("%.80v is not %s %.80v", v, word, arg) }
	object, isObject := v.(map[string]any)
	array, isArray := v.([]any)
	number, isNumber := v.(float64)
	text, isText := v.(string)
	switch word {
	case "$schema", "title", "description", "$defs":
	case "$ref":
		return s.valid(s.root["$defs"].(map[string]any)[strings.TrimPrefix(arg.(string), "#/$defs/")].(map[string]any), v)
	case "type":
		if !hasType(arg, v) {
			return fail()
		}
	case "enum":
		if !slices.Contains(arg.([]any), v) {
			return fail()
		}
	case "pattern":
		if isText && !regexp.MustCompile(arg.(string)).MatchString(text) {
			return fail()
		}
	case "minimum", "maximum":
		if isNumber && (word == "minimum" && number < arg.(float64) || word == "maximum" && number > arg.(float64)) {
			return fail()
		}
	case "maxLength":
		if isText && len(text) > int(arg.(float64)) {
			return fail()
		}
	case "minItems", "minProperties":
		if isArray && len(array) < int(arg.(float64)) || isObject && len(object) < int(arg.(float64)) {
			return fail()
		}
	case "items":
		for _, item := range array {
			if err := s.valid(arg.(map[string]any), item); err != nil {
				return err
			}
		}
	case "not":
		if s.valid(arg.(map[string]any), v) == nil {
			return fail()
		}
	case "anyOf", "allOf":
		return s.several(word, arg.([]any), v)
	default:
		return s.objectWord(schema, word, arg, object)
	}
	return nil
}

func (s jsonSchema) several(word string, args []any, v any) error {
	var failed error
	for _, a := range args {
		err := s.valid(a.(map[string]any), v)
		if err == nil && word == "anyOf" || err != nil && word == "allOf" {
			return err
		}
		failed = err
	}
	return failed
}

func (s jsonSchema) objectWord(schema map[string]any, word string, arg any, object map[string]any) error {
	lacks := func(keys any) bool {
		return slices.ContainsFunc(keys.([]any), func(k any) bool { return object[k.(string)] == nil })
	}
	switch word {
	case "properties":
		for key, of := range arg.(map[string]any) {
			if v, ok := object[key]; ok {
				if err := s.valid(of.(map[string]any), v); err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
			}
		}
	case "additionalProperties":
		properties, _ := schema["properties"].(map[string]any)
		for key, v := range object {
			of, isSchema := arg.(map[string]any)
			if _, known := properties[key]; known {
				continue
			} else if !isSchema {
				return fmt.Errorf("there is no key %s", key)
			} else if err := s.valid(of, v); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	case "propertyNames":
		for key := range object {
			if err := s.valid(arg.(map[string]any), key); err != nil {
				return err
			}
		}
	case "required":
		if object != nil && lacks(arg) {
			return fmt.Errorf("one of %v is missing", arg)
		}
	case "dependentRequired":
		for key, needs := range arg.(map[string]any) {
			if _, ok := object[key]; ok && lacks(needs) {
				return fmt.Errorf("%s needs %v", key, needs)
			}
		}
	default:
		return fmt.Errorf("the test does not know the word %s", word)
	}
	return nil
}

// hasType reports whether a value is of a type, or one of several.
func hasType(types, v any) bool {
	if several, ok := types.([]any); ok {
		return slices.ContainsFunc(several, func(t any) bool { return hasType(t, v) })
	}
	number, _ := v.(float64)
	switch types {
	case "null":
		return v == nil
	case "integer":
		return reflect.TypeOf(v) == reflect.TypeFor[float64]() && number == float64(int64(number))
	}
	return v != nil && map[string]reflect.Kind{"object": reflect.Map, "array": reflect.Slice, "string": reflect.String, "number": reflect.Float64,
		"boolean": reflect.Bool}[types.(string)] == reflect.TypeOf(v).Kind()
}

func TestEveryKeyIsInTheManual(t *testing.T) {
	page, err := os.ReadFile("../../docs/pipeline-file.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range slices.Concat(names(pipelineKeys), names(stageKeys), names(backoffKeys), names(parameterKeys)) {
		if !regexp.MustCompile("(?m)^\\| `" + k + "`( \\*)? \\|").Match(page) {
			t.Errorf("no table of docs/pipeline-file.md has the key %s", k)
		}
	}
	for _, k := range names(policyKeys) {
		if !strings.Contains(string(page), "\n| `"+k+"` * |") {
			t.Errorf("docs/pipeline-file.md does not mark %s as a key of defaults", k)
		}
	}
}
