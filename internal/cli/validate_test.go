package cli

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

func TestValidate(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // it starts no Redis
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	writeText(t, good, "name: shop\nstages: [{name: a}, {name: b, after: a}, {name: c, after: [a, b]}]\n")
	writeText(t, bad, "name: shop\nstages:\n  - {name: a, after: b}\n  - {name: b, after: a}\n  - {name: c, after: aa}\n  - {name: d, task: nothing}\n")

	o := execute(t, "validate", good)
	o.expect(t, 0)
	if want := "ok: shop, 3 stages, 3 dependencies, 3 levels, longest path a -> b -> c (" + good + ")\n"; o.stdout != want || o.stderr != "" {
		t.Errorf("got %q and %q, want %q", o.stdout, o.stderr, want)
	}
	o = execute(t, "validate", bad, good, filepath.Join(dir, "goood.yaml"))
	o.expect(t, 2, "bad.yaml:", `"a" -> "b" -> "a"`, `"aa"`, `"nothing"`, "^", "goood.yaml: file does not exist", `did you mean "good.yaml"?`, "ok: shop")
	execute(t, "validate").expect(t, 2, "validate needs a FILE: a .yaml, .yml or .json file")
	execute(t, "validate", dir).expect(t, 2, "this is a folder")
	execute(t, "validate", "wine").expect(t, 2, "file does not exist")
	execute(t, "validate", "a\x1b[2J\n.yaml").expect(t, 2, "file does not exist")
}

func TestValidateForPrograms(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	writeText(t, good, "name: shop\nstages: [{name: a}, {name: b, after: a}]\n")
	writeText(t, bad, "stages:\n  - {name: bread}\n  - {name: c, after: braed}\n")
	o := execute(t, "validate", "--output", "json", good, bad, filepath.Join(dir, "none.json"))
	var list []checkedFile
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list) != 3 || o.code != 2 || o.stderr != "" {
		t.Fatalf("%v: exit code %d: %s", err, o.code, o.stdout+o.stderr)
	}
	if f := list[0]; !f.OK || f.File != good || f.Name != "shop" || f.Stages != 2 || f.Dependencies != 1 || f.Levels != 2 || len(f.LongestPath) != 2 {
		t.Errorf("the good file: %+v", f)
	}
	if f := list[1]; f.OK || len(f.Problems) != 1 || f.Problems[0].Line != 3 || f.Problems[0].Suggestion != "bread" {
		t.Errorf("the bad file: %+v", f)
	}
	if f := list[2]; f.OK || len(f.Problems) != 1 || f.Problems[0].Line != 0 || f.Problems[0].Message == "" {
		t.Errorf("the missing file: %+v", f)
	}
}

func TestALongPathIsShownByItsEnds(t *testing.T) {
	for path, want := range map[string]string{
		"a":          "a",
		"abcdefg":    "a -> b -> c -> d -> e -> f -> g",
		"abcdefghij": "a -> b -> c -> ... 4 more ... -> h -> i -> j",
	} {
		var names []string
		for _, r := range path {
			names = append(names, string(r))
		}
		if got := pathText(names); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
