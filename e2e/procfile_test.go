package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/godags/godags/internal/faulttest"
	"github.com/godags/godags/internal/redistest"
)

// repository is the root of this module, from where these tests are run.
const repository = ".."

// built makes, once for all tests, the programs of cmd and the process managers, and returns the
// folder where they are.
var built = sync.OnceValues(func() (string, error) {
	bin, err := filepath.Abs(filepath.Join(os.TempDir(), "bin")) // removed by TestMain
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"build", "-o", bin + "/", "./cmd/..."},
		{"build", "-modfile=tools/go.mod", "-o", bin + "/", "github.com/mattn/goreman", "github.com/DarthSim/hivemind"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = repository
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return bin, nil
})

// procfile makes a folder with the Procfile and what it starts, as `make build` leaves it, and
// returns the folder of the programs.
func (w *world) procfile() string {
	w.t.Helper()
	bin, err := built()
	if err != nil {
		skip(w.t, fmt.Sprintf("goreman and hivemind cannot be built: get their source with `go mod download -modfile=tools/go.mod` to run this test: %v", err))
	}
	text, err := os.ReadFile(filepath.Join(repository, "Procfile"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("Procfile", string(text))
	if err := os.Symlink(bin, filepath.Join(w.dir, "bin")); err != nil {
		w.t.Fatal(err)
	}
	w.set("E2E_FOLDER", w.dir) // by which processesOf finds what was started here
	return bin
}

func TestProcfile(t *testing.T) {
	for name, args := range map[string][]string{"goreman": {"-rpc-server=false", "start"}, "hivemind": {"Procfile"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.needRedis()
			bin := w.procfile()
			port := redistest.FreePort(t)
			w.set("REDIS_PORT", port)
			// as the README says: it stops Redis and the workers at once
			w.set("HIVEMIND_TIMEOUT", "30")
			manager := w.start(filepath.Join(bin, name), args...)
			w.set("REDIS_URL", "redis://127.0.0.1:"+port)
			w.fourWorkersServe()
			w.killedWorkerIsReplaced()
			if err := manager.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			w.ended(manager, 0)
			if left := faulttest.ProcessesWith(w.dir); len(left) > 0 {
				t.Errorf("still there after the end of %s:\n%s", name, strings.Join(left, "\n"))
			}
			log := manager.stdout() + manager.stderr()
			// Hivemind does not read all that a process has printed when it sees its end.
			if n := strings.Count(log, "worker stopped"); n > 4 || name == "goreman" && n != 4 {
				t.Errorf("%d workers ended in order, want 4", n)
			}
			for line := range strings.Lines(log) {
				if name == "goreman" && strings.Contains(line, "connection refused") && !strings.Contains(line, "waiting for Redis") {
					t.Errorf("Redis was stopped before the others: %s", line)
				}
			}
		})
	}
}

var workerName = regexp.MustCompile(`(?m)^box-[1-4]-[a-z0-9]{6} +idle `)

// killedWorkerIsReplaced kills a worker of the Procfile and waits for another under its name.
func (w *world) killedWorkerIsReplaced() {
	w.t.Helper()
	for id, pid := range w.workerPIDs() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			w.t.Fatal(err)
		}
		name := id[:len("box-1-")]
		w.await("another "+name, func() bool {
			for other := range w.workerPIDs() {
				if other != id && strings.HasPrefix(other, name) {
					return true
				}
			}
			return false
		})
		return
	}
}

// fourWorkersServe waits for the workers of the Procfile, and runs the pipelines of the stock
// binary on them.
func (w *world) fourWorkersServe() {
	w.t.Helper()
	w.await("four workers", func() bool {
		out, err := w.command("coordinator", "workers").Output() // it fails until Redis is there
		return err == nil && len(workerName.FindAllString(string(out), -1)) == 4
	})
	for _, pipeline := range []string{"simple", "wine"} {
		var result struct {
			State   string
			Outputs map[string]any
		}
		if err := json.Unmarshal([]byte(w.coordinator("run", pipeline, "--run-id", pipeline, "--output", "json")), &result); err != nil {
			w.t.Fatal(err)
		}
		if result.State != "succeeded" {
			w.t.Errorf("%s: %s", pipeline, result.State)
		}
		if text := fmt.Sprint(result.Outputs["accuracy"]); pipeline == "wine" && !strings.HasPrefix(text, "Accuracy: 0.9") {
			w.t.Errorf("wine: %s", text)
		}
		for _, e := range w.events(pipeline) {
			if e.Worker != "" && !workerName.MatchString(e.Worker+" idle ") {
				w.t.Errorf("%s was executed by %s, which is no worker of the Procfile", e.Stage, e.Worker)
			}
		}
	}
}
