package pipefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

var update = flag.Bool("update", false, "write what the files of testdata give into them")

// Each archive in testdata holds pipeline files, and behind each of them what reading it gives.
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives in testdata: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := rerun(t, parseArchive(data))
			if bytes.Equal(got, data) {
				return
			}
			if !*update {
				t.Fatalf("%s: run the test with -update and look at the difference. Now it is:\n%s", path, got)
			}
			if err := os.WriteFile(path, got, 0o666); err != nil {
				t.Fatal(err)
			}
		})
	}
}

type archive struct {
	comment string
	files   []archived
}

type archived struct{ name, content string }

// parseArchive reads the txtar format: a comment, then files that each follow a line "-- name --".
func parseArchive(data []byte) (a archive) {
	for line := range strings.Lines(string(data)) {
		name, isHeader := strings.CutPrefix(line, "-- ")
		name, ends := strings.CutSuffix(name, " --\n")
		switch {
		case isHeader && ends:
			a.files = append(a.files, archived{name: name})
		case len(a.files) == 0:
			a.comment += line
		default:
			a.files[len(a.files)-1].content += line
		}
	}
	return a
}

// rerun writes the archive with what its pipeline files give now.
func rerun(t *testing.T, a archive) []byte {
	var b bytes.Buffer
	b.WriteString(a.comment)
	for _, f := range a.files {
		if strings.HasSuffix(f.name, ".want") {
			continue
		}
		// The last line end belongs to the archive, so that a file can do without.
		sp, err := Parse(f.name, []byte(strings.TrimSuffix(f.content, "\n")), known{})
		got := describe(sp)
		if err != nil {
			checkError(t, []byte(f.content), err)
			checkWords(t, f.name, err)
			got = err.Error() + "\n"
		}
		fmt.Fprintf(&b, "-- %s --\n%s-- %s.want --\n%s", f.name, f.content, f.name, got)
	}
	return b.Bytes()
}

// gap is where a word is missing in a message that was put together.
var gap = regexp.MustCompile(`(^| )[,;:)]|\(\)|\( |  |[:,] *$`)

// checkWords fails the test if the message of a problem has a gap, other than in what it quotes.
func checkWords(t *testing.T, name string, err error) {
	t.Helper()
	file, ok := errors.AsType[*FileError](err)
	if !ok {
		return
	}
	quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"|, \[ \] \{ \}|\[[^ ]*|\{[^ ]*`)
	for _, p := range file.Problems {
		if text := quoted.ReplaceAllString(p.Message, "Q"); gap.MatchString(text) {
			t.Errorf("%s: a word is missing: %s", name, p.Message)
		}
	}
}

// describe writes all that a spec says, a line for each stage.
func describe(sp *spec.Spec) string {
	if sp == nil {
		return "nothing\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "pipeline %s\n", sp.Name)
	if settings, _ := json.Marshal(sp.Settings); string(settings) != "{}" {
		fmt.Fprintf(&b, "  %s\n", settings)
	}
	for s := range dag.StageID(sp.Graph.Len()) {
		fmt.Fprintf(&b, "%s", sp.Graph.Name(s))
		for i, d := range sp.Graph.Deps(s) {
			fmt.Fprintf(&b, "%s%s", map[bool]string{true: " <- ", false: ", "}[i == 0], sp.Graph.Name(d))
		}
		k := sp.Kind(s)
		fmt.Fprintf(&b, ": %s %s @%s\n", k.Task, k.Params, sp.Queue(s))
		if k.Item != nil {
			fmt.Fprintf(&b, "  item %d %s\n", k.Index, k.Item)
		}
		if k.Gather {
			fmt.Fprintln(&b, "  gathers")
		}
		if policy, _ := json.Marshal(k.Policy); string(policy) != "{}" {
			fmt.Fprintf(&b, "  %s\n", policy)
		}
	}
	return b.String()
}

// known is a registry with three tasks, of which one takes a parameter.
type known struct{}

func (known) Validate(task string, params json.RawMessage) error {
	switch task {
	case "noop", "command":
		return nil
	case "train":
		var p struct{ Trees int }
		if params != nil {
			if err := json.Unmarshal(params, &p); err != nil {
				return fmt.Errorf("task train: %w", err)
			}
		}
		if p.Trees < 1 {
			return errors.New("task train: trees must be positive\nsuch as 100")
		}
		return nil
	}
	unknown := &tasks.UnknownError{Task: task, Known: []string{"command", "noop", "train"}}
	if task == "trian" {
		unknown.Suggestion = "train"
	}
	return unknown
}

// checkError fails unless every problem is at a place that the file has, and can be printed on any
// terminal.
func checkError(t *testing.T, data []byte, err error) {
	t.Helper()
	e, ok := errors.AsType[*FileError](err)
	if !ok || len(e.Problems) == 0 {
		t.Fatalf("the error is no *FileError with problems: %v", err)
	}
	lines := strings.Split(string(bytes.TrimPrefix(data, []byte("\uFEFF"))), "\n")
	for _, p := range e.Problems {
		if above, below, _ := strings.Cut(p.excerpt, "\n"); strings.Index(above, " |") != strings.Index(below, " |") || !strings.HasSuffix(below, "^") {
			t.Fatalf("there is no caret below\n%s", p.excerpt)
		}
		if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 {
			t.Fatalf("%d:%d is not in the file of %d lines: %s", p.Line, p.Column, len(lines), p.Message)
		}
		if printable(p.Message) != p.Message || printable(p.Suggestion) != p.Suggestion || p.Message == "" {
			t.Fatalf("message cannot be printed: %q %q", p.Message, p.Suggestion)
		}
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if printable(line) != line {
			t.Fatalf("line cannot be printed: %q", line)
		}
	}
}
