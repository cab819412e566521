package internal_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/godags/godags"

// layers lists the rooms of this module from the top down. A room is a folder with all below it;
// "." is the front door alone. A room imports rooms of lower layers only, and none of its own
// layer.
var layers = [][]string{
	// nothing but tests may import these
	{"cmd", "bench", "scripts", "internal/redistest", "internal/faulttest", "internal/scripttest"},
	{"examples"},
	{"."},
	{"internal/cli"},
	{"internal/runs"},
	{"internal/engine"},
	{"internal/coordinator", "internal/worker", "internal/progress", "internal/picture", "internal/pipefile"},
	{"internal/runstate", "internal/worker/execution"},
	{"internal/worker/delivery"},
	{"internal/values", "internal/fleet"},
	{"internal/queue", "internal/journal", "internal/redisx"},
	{"internal/condition"},
	{"internal/spec"},
	{"tasks", "cache"},
	{"dag", "internal/api"},
	{"internal/command"},
	{"internal/nearest", "internal/version", "internal/sign", "internal/term", "internal/jsontext", "internal/fault", "internal/logtext"},
	{"internal/owned", "internal/process", "internal/guard", "internal/retry"},
}

// secrets are what only some rooms know.
var secrets = []struct {
	what  string
	found func(ast.Node) bool
	rooms []string
	why   string
}{
	{"asynq", importOf("github.com/hibiken/asynq"), []string{"internal/queue"},
		"so that another queue, or a newer Asynq, concerns one package: say what you need as a method of internal/queue"},
	{"the journal", importOf(module + "/internal/journal"), []string{"internal/journal", "internal/runs", "internal/engine", "internal/coordinator", "internal/worker",
		"internal/worker/delivery", "internal/worker/execution",
		"internal/progress", "internal/runstate", "internal/values", "internal/fleet", "internal/faulttest", "bench", "."},
		"so that people and programs are told the same: say what you need as a method of internal/runs"},
	{"the queue", importOf(module + "/internal/queue"), []string{"internal/queue", "internal/engine", "internal/coordinator", "internal/worker",
		"internal/worker/execution", "internal/faulttest", "bench"},
		"so that commands do not depend on how stages travel: say what you need as a method of internal/runs or internal/engine"},
	{"a Redis key", isKey, []string{"internal/journal", "internal/fleet", "internal/queue", "cache", "internal/faulttest"},
		"so that the layout of a run in Redis can change in one place: ask internal/journal or internal/fleet for the fact behind the key"},
	{"a Redis script", isScript, []string{"internal/journal", "internal/fleet", "internal/queue", "cache"},
		"so that everything that must be atomic can be read in one place: add it to internal/journal/lua"},
}

// pure rooms import the standard library and the rooms named here.
var pure = map[string][]string{
	"dag":                      {"internal/nearest"},
	"internal/nearest":         nil,
	"internal/worker/delivery": {"dag", "internal/journal"}, // for types of the journal
}

func TestTheHouseIsInOrder(t *testing.T) {
	found, err := violations(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// violations goes through all Go files of a module except tests.
func violations(root fs.FS) (found []string, err error) {
	files := 0
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && notOurs(root, name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files++
		in, err := inFile(root, name)
		found = append(found, in...)
		return err
	})
	if err == nil && files == 0 {
		err = errors.New("there are no Go files: is this the folder of the module?")
	}
	return found, err
}

func notOurs(root fs.FS, folder string) bool {
	base := path.Base(folder)
	_, err := fs.Stat(root, path.Join(folder, "go.mod"))
	return err == nil || base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_'
}

func inFile(root fs.FS, name string) (found []string, err error) {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	room, layer := roomOf(path.Dir(name))
	if layer < 0 {
		return []string{fmt.Sprintf("%s: its folder is in no layer: add it to layers in internal/layers_test.go, as low as its imports allow", name)}, nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		say := func(format string, args ...any) {
			found = append(found, fmt.Sprintf("%s: %s", set.Position(n.Pos()), fmt.Sprintf(format, args...)))
		}
		if spec, ok := n.(*ast.ImportSpec); ok {
			checkImport(room, layer, imported(spec), say)
		}
		for _, s := range secrets {
			if n != nil && s.found(n) && !slices.Contains(s.rooms, room) {
				say("%s, which is for %s only, %s", s.what, strings.Join(s.rooms, ", "), s.why)
			}
		}
		return true
	})
	return found, nil
}

func checkImport(room string, layer int, target string, say func(string, ...any)) {
	folder, ours := strings.CutPrefix(target+"/", module+"/")
	standard := !strings.Contains(strings.Split(target, "/")[0], ".")
	to, toLayer := "", -1
	if ours {
		to, toLayer = roomOf(path.Clean(folder))
	}
	allowed, isPure := pure[room]
	switch {
	case isPure && !standard && !slices.Contains(allowed, to):
		say("%s imports %s: it must stay pure, which means the standard library and %q", room, target, allowed)
	case !ours || to == room:
	case toLayer < 0:
		say("imports %s, which is in no layer: add it to layers in internal/layers_test.go", target)
	case toLayer == layer:
		say("%s imports %s, which is of the same layer: declare an interface where it is used and wire it in internal/engine or internal/cli, "+
			"or move what both need to a lower layer", room, to)
	case toLayer < layer:
		say("%s imports %s, which is above it: imports go down only. Move what both need to a lower layer, or pass it in", room, to)
	}
}

// roomOf returns the room of a folder, and its layer counted from the top; layer -1 if it has none.
func roomOf(folder string) (room string, layer int) {
	layer = -1
	for i, rooms := range layers {
		for _, r := range rooms {
			if (folder == r || r != "." && strings.HasPrefix(folder, r+"/")) && len(r) > len(room) {
				room, layer = r, i
			}
		}
	}
	return room, layer
}

func imported(spec *ast.ImportSpec) string {
	target, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value // the parser has seen to it that this does not happen
	}
	return target
}

func importOf(target string) func(ast.Node) bool {
	return func(n ast.Node) bool {
		spec, ok := n.(*ast.ImportSpec)
		return ok && strings.HasPrefix(imported(spec)+"/", target+"/")
	}
}

// isKey finds "godags:..." but not messages, which go on with a space.
func isKey(n ast.Node) bool {
	literal, ok := n.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return false
	}
	text, err := strconv.Unquote(literal.Value)
	return err == nil && strings.HasPrefix(text, "godags:") && !strings.HasPrefix(text, "godags: ")
}

func isScript(n ast.Node) bool {
	call, ok := n.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := call.X.(*ast.Ident)
	return ok && of.Name == "redis" && call.Sel.Name == "NewScript"
}

func TestWhatIsNotInOrderIsFound(t *testing.T) {
	for name, test := range map[string]struct{ file, source, want string }{
		"up":            {"internal/spec/a.go", `import "github.com/godags/godags/internal/runstate"`, "internal/spec imports internal/runstate, which is above it"},
		"up to a part":  {"dag/a.go", `import "github.com/godags/godags/cache/cachetest"`, "dag imports github.com/godags/godags/cache/cachetest: it must stay pure"},
		"front door":    {"internal/cli/a.go", `import "github.com/godags/godags"`, "internal/cli imports ., which is above it"},
		"sideways":      {"internal/journal/a.go", `import "github.com/godags/godags/internal/redisx"`, "internal/journal imports internal/redisx, which is of the same layer"},
		"journal":       {"internal/cli/a.go", `import "github.com/godags/godags/internal/journal"`, "the journal, which is for internal/journal"},
		"queue":         {"internal/runs/a.go", `import "github.com/godags/godags/internal/queue"`, "the queue, which is for internal/queue"},
		"test support":  {"cache/a.go", `import "github.com/godags/godags/internal/redistest"`, "cache imports internal/redistest, which is above it"},
		"dag is pure":   {"dag/a.go", `import "github.com/redis/go-redis/v9"`, "dag imports github.com/redis/go-redis/v9: it must stay pure"},
		"asynq":         {"internal/worker/a.go", `import "github.com/hibiken/asynq"`, "asynq, which is for internal/queue only"},
		"part of asynq": {"internal/worker/a.go", `import x "github.com/hibiken/asynq/x/rate"`, "asynq, which is for internal/queue only"},
		"key":           {"internal/cli/a.go", "const runs = `godags:runs`", "a Redis key, which is for internal/journal"},
		"script":        {"internal/values/a.go", `var s = redis.NewScript("return 1")`, "a Redis script, which is for internal/journal"},
		"new room":      {"internal/misc/deep/a.go", ``, "its folder is in no layer"},
		"to a new room": {"internal/cli/a.go", `import "github.com/godags/godags/internal/misc"`, "internal/misc, which is in no layer"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := violations(fstest.MapFS{test.file: {Data: []byte("package p\n" + test.source)}})
			if err != nil || len(found) != 1 || !strings.Contains(found[0], test.want) || !strings.HasPrefix(found[0], test.file+":") {
				t.Errorf("found %q, %v; want %q", found, err, test.want)
			}
		})
	}
}

func TestWhatIsInOrderIsNotFound(t *testing.T) {
	root := fstest.MapFS{}
	for file, source := range map[string]string{
		"a.go":                       `import ("context"; "github.com/godags/godags/internal/cli"; "github.com/godags/godags/tasks")`,
		"cmd/worker/main.go":         `import ("github.com/godags/godags"; "github.com/godags/godags/examples/wine")`,
		"examples/wine/wine.go":      `import "github.com/godags/godags/examples/wine/forest"`,
		"dag/graph.go":               `import ("go/ast"; "github.com/godags/godags/internal/nearest")`,
		"internal/queue/queue.go":    `import "github.com/hibiken/asynq"; const wake = "godags:wake:"`,
		"tasks/log.go":               `const message = "godags: no guard"`,
		"dag/graph_test.go":          `import "pgregory.net/rapid"`,
		"docs/tool/go.mod":           `module other`,
		"docs/tool/main.go":          `import "github.com/hibiken/asynq"`,
		"internal/cli/testdata/a.go": `import "github.com/hibiken/asynq"`,
	} {
		root[file] = &fstest.MapFile{Data: []byte("package p\n" + source)}
	}
	if found, err := violations(root); err != nil || len(found) != 0 {
		t.Errorf("found %q, %v", found, err)
	}
}

func TestNothingFoundBecauseNothingWasReadIsAnError(t *testing.T) {
	if _, err := violations(fstest.MapFS{}); err == nil {
		t.Error("an empty folder is in order")
	}
	if _, err := violations(fstest.MapFS{"dag/a.go": {Data: []byte("package")}}); err == nil {
		t.Error("a file that does not parse is in order")
	}
}
