package e2e

import (
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Every slip ends with code 2, and says at which line and column.
func TestSlipsInFiles(t *testing.T) {
	w := newWorld(t)
	archive, err := txtar.ParseFile(filepath.Join(repository, "internal/pipefile/testdata/slips.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".want") {
			continue
		}
		w.write(f.Name, string(f.Data))
		out, err := w.command("coordinator", "validate", f.Name).CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 || !regexp.MustCompile(`(?m)^`+f.Name+`:\d+:\d+: .+\n +\d+ \|.*\n +\| +\^`).Match(out) {
			t.Errorf("%s ends with %v and says\n%s", f.Name, err, out)
		}
		files++
	}
	if files < 100 {
		t.Errorf("only %d files", files)
	}
}
