package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/redistest"
)

// TestTutorial does what the tutorial says, in its order. It starts the lines of the Procfile as a
// process manager does.
func TestTutorial(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server")
	}
	folder, programs, port := t.TempDir(), t.TempDir(), redistest.FreePort(t)
	build := exec.Command("go", "build", "-o", programs+"/", "./cmd/...")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if err := os.Symlink("coordinator", filepath.Join(programs, "godags")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("REDIS_URL", "")
	t.Setenv("GODAGS_KEY", "the key of the tutorial")

	var shown strings.Builder
	steps := 0
	for _, s := range snippets(t) {
		kind, name, _ := strings.Cut(s.remark, " ")
		if s.page != "docs/tutorial.md" || kind != "tutorial" {
			continue
		}
		steps++
		text := strings.ReplaceAll(s.text, "6390", port)
		if s.language != "sh" {
			write(t, filepath.Join(folder, name), text)
			if name == "Procfile" {
				startProcesses(t, folder, text)
				waitForWorkers(t, "redis://127.0.0.1:"+port)
			}
			continue
		}

		output, err := shell(folder, text)
		shown.WriteString(output)
		if failed := err != nil; failed != (name == "fails") {
			t.Fatalf("%s\nended with %v:\n%s", s.text, err, output)
		}
	}

	if steps != 7 {
		t.Errorf("found %d steps, want 7", steps)
	}
	for _, want := range []string{"south.txt: No such file or directory", "loaded [12,30]"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("no command showed %q:\n%s", want, shown.String())
		}
	}
}

// shell runs commands up to the first that fails.
func shell(folder, text string) (string, error) {
	cmd := exec.Command("sh", "-eu", "-c", text)
	cmd.Dir = folder
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// startProcesses starts the lines of a Procfile. They are stopped in the order opposite to that of
// the lines, so that Redis outlives the workers.
func startProcesses(t *testing.T, folder, procfile string) {
	t.Helper()
	for line := range strings.Lines(procfile) {
		_, command, _ := strings.Cut(line, ":")
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = folder
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() //nolint:errcheck // it was interrupted
		})
	}
}

func waitForWorkers(t *testing.T, url string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		output, err := shell(".", "godags workers --redis "+url)
		if err == nil && strings.Count(output, "idle") == 4 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no four workers after a minute: %v\n%s", err, output)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
