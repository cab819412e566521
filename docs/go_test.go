package docs_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestGoCodeWorks compiles all Go code of the pages, and runs the tests among it, in a module of a
// user's own.
func TestGoCodeWorks(t *testing.T) {
	module := userModule(t)
	found := 0
	for i, s := range snippets(t) {
		if s.language != "go" {
			continue
		}
		found++
		if formatted, err := format.Source([]byte(s.text)); err != nil || string(formatted) != s.text {
			t.Errorf("%s: not as gofmt writes it (%v):\n%s", s.page, err, s.text)
			continue
		}
		write(t, filepath.Join(module, s.folder(i), s.file(i)), s.source())
	}
	if found < 8 {
		t.Fatalf("found only %d pieces of Go code", found)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = module, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", args[0], err, output)
		}
	}
}

// userModule returns the folder of a module that uses this one.
func userModule(t *testing.T) string {
	t.Helper()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	mod := strings.Replace(read(t, "go.mod"), "module github.com/godags/godags\n", "module example.org/pipelines\n", 1)
	mod += "\nrequire github.com/godags/godags v0.0.0\n\nreplace github.com/godags/godags => " + strconv.Quote(here) + "\n"
	write(t, filepath.Join(folder, "go.mod"), mod)
	write(t, filepath.Join(folder, "go.sum"), read(t, "go.sum"))
	return folder
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var packageClause = regexp.MustCompile(`(?m)^package (\w+)$`)

// folder is the same for the files of a page that have the same package, unless it is main.
func (s snippet) folder(number int) string {
	if m := packageClause.FindStringSubmatch(s.text); m != nil && m[1] != "main" {
		return strings.NewReplacer("/", "-", ".", "-").Replace(s.page) + "-" + m[1]
	}
	return "snippet" + strconv.Itoa(number)
}

func (s snippet) file(number int) string {
	name := "file" + strconv.Itoa(number)
	if strings.Contains(s.text, `"testing"`) {
		name += "_test"
	}
	return name + ".go"
}

// imports are the packages that a part of a file may use; a whole file has its own.
var imports = []string{"context", "errors", "fmt", "log/slog", "os", "os/signal", "time",
	"github.com/godags/godags", "github.com/godags/godags/cache", "github.com/godags/godags/tasks"}

// source is the whole file.
func (s snippet) source() string {
	if packageClause.MatchString(s.text) {
		return s.text
	}
	text := s.prelude + "\n" + s.text
	var b strings.Builder
	b.WriteString("package snippet\n\n")
	for _, path := range imports {
		if name := path[strings.LastIndex(path, "/")+1:]; regexp.MustCompile(`\b` + name + `\.`).MatchString(text) {
			b.WriteString("import " + strconv.Quote(path) + "\n")
		}
	}
	return b.String() + text
}
