package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program that `init --go` writes builds against this module, and runs.
func TestStarterProgramRuns(t *testing.T) {
	w := newWorld(t)
	w.needRedis()
	w.coordinator("init", "--go", "hello")
	folder := filepath.Join(w.dir, "hello")
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		"go mod edit -replace github.com/godags/godags=" + root,
		"go build -mod=mod -o hello .",
		"./hello run --progress quiet",
	} {
		args := strings.Fields(words)
		cmd := exec.Command(args[0], args[1:]...)
		// all is there: these tests were built with it
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "GOPROXY=off", "GOSUMDB=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", words, err, out)
		}
	}
}
