package pipefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// For each key, every value that its shape forbids is reported where it is, by the name of the key.
func TestWrongValuesAreReportedWhereTheyAre(t *testing.T) {
	files := 0
	for _, w := range slips(t) {
		for _, ext := range []string{".yaml", ".json"} {
			data := []byte(w.file)
			_, err := Parse("p"+ext, data, known{})
			e, ok := errors.AsType[*FileError](err)
			if !ok {
				t.Errorf("%s: %s is taken: %v", w.key, w.file, err)
				continue
			}
			checkError(t, data, err)
			// one less for a value that is missing: its key is there
			line := strings.Count(w.file[:w.at], "\n") + 1
			if !slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Line == line || p.Line == line-1 }) {
				t.Errorf("%s: %s\ngives %v, and nothing on line %d", w.key, w.file, err, line)
			}
			files++
		}
	}
	t.Logf("%d files", files)
	if files < 200 {
		t.Errorf("only %d files", files)
	}
}

// slip is a file with a value that its key cannot have.
type slip struct {
	key, file string
	at        int // where the value is
}

// slips makes one file for each key and each wrong value of it.
func slips(t *testing.T) (all []slip) {
	schema := loadSchema(t)
	values := []string{`null`, `true`, `5`, `-1`, `1.5`, `"a b"`, `""`, `[]`, `[null]`, `[[5]]`, `{}`, `{"a b": 5}`, `{"A": null}`, `"9000000000000h"`}
	add := func(path, before, after string, properties map[string]shape) {
		for key, of := range properties {
			for _, v := range values {
				var value any
				if err := json.Unmarshal([]byte(v), &value); err != nil {
					t.Fatal(err)
				}
				if schema.valid(plainShape(t, of), value) == nil {
					continue
				}
				begin := before + fmt.Sprintf("\n%q:\n", key)
				all = append(all, slip{path + key + " " + v, begin + v + after, len(begin)})
			}
		}
	}
	add("", `{"stages": [{"name": "a", "run": "a"}],`, "}", shapes(pipelineKeys, "stages"))
	add("stage ", `{"stages": [{"name": "l", "run": "l"}, {"name": "a", "after": ["l"], "run": "a",`, "}]}", shapes(stageKeys, "name", "run", "task", "params", "after"))
	add("stage ", `{"stages": [{"name": "a",`, "}]}", shapes(stageKeys[2:4]))
	add("stage ", `{"stages": [{"run": "a",`, "}]}", shapes(stageKeys[:2]))
	add("stage ", `{"stages": [{"name": "a", "task": "noop",`, "}]}", shapes(stageKeys[4:5]))
	add("defaults ", `{"stages": [{"name": "a", "run": "a"}], "defaults": {`, "}}", shapes(policyKeys))
	add("backoff ", `{"stages": [{"name": "a", "run": "a", "backoff": {`, "}}]}", shapes(backoffKeys))
	add("params ", `{"stages": [{"name": "a", "run": "a"}], "params": {"p": {`, "}}}", shapes(parameterKeys, "default"))
	return all
}

func shapes[T any](keys []key[T], without ...string) map[string]shape {
	of := make(map[string]shape)
	for _, k := range keys {
		of[k.name] = k.shape
	}
	for _, name := range without {
		delete(of, name)
	}
	return of
}

// plainShape returns a shape as encoding/json has it.
func plainShape(t *testing.T, s shape) (plain map[string]any) {
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
