// Package e2e tests the programs as people use them: real processes, real signals and, where it is
// installed, a real redis-server.
//
// What one person does with the commands is a script in testdata, which can be read as
// documentation. What needs many processes, or a look at every event of a run, is a test in Go. No
// test waits for a fixed time: each waits for what it can see, with a limit.
package e2e

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/godags/godags"
	"github.com/godags/godags/examples/simple"
	"github.com/godags/godags/examples/wine"
	"github.com/godags/godags/internal/faulttest"
)

// TestMain makes the test binary the programs coordinator and worker as well: those of cmd, on PATH
// for every test.
func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){
		"coordinator": func() { godags.Main(simple.Pipeline(), wine.Pipeline()) },
		"stranger":    func() { godags.WorkerMain() }, // a worker of a program without pipelines
		"worker":      func() { godags.WorkerMain(simple.Pipeline(), wine.Pipeline()) },
	})
}

// limit is how long a test waits for something that it expects: far longer than it takes on a busy
// machine.
const limit = 60 * time.Second

// tidy runs the tests and then looks for orphaned processes and files.
type tidy struct{ *testing.M }

func (t tidy) Run() int {
	root, err := os.MkdirTemp("", "e2e") // short: the path of a unix socket must fit into 103 bytes
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, name := range []string{"REDIS_URL", "GODAGS_HOME", "GODAGS_PROGRESS", "GODAGS_QUEUE", "GODAGS_CONCURRENCY", "GODAGS_OUTPUT_FORMAT", "NO_COLOR", "CLICOLOR_FORCE"} {
		os.Unsetenv(name)
	}
	hangUps := make(chan os.Signal, 1)
	// or the programs would ignore it too where the tests are started by nohup
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	if signal.Ignored(os.Interrupt) { // a shell has started the tests in the background
		signal.Notify(hangUps, os.Interrupt)
	}
	os.Setenv("TMPDIR", root)
	os.Setenv("GODAGS_KEY", "the key of tests that are not scripts")
	if os.Getenv("GORACE") == "" {
		// in place of a second for each of some hundred processes
		os.Setenv("GORACE", "atexit_sleep_ms=50")
	}
	// nothing is there: see leftBehind
	os.Setenv("PATH", root+string(filepath.ListSeparator)+os.Getenv("PATH"))
	code := t.M.Run()
	if left := leftBehind(root); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: orphaned processes or files remain:\n  %s\n", strings.Join(left, "\n  "))
		code = max(code, 1)
	}
	if err := os.RemoveAll(root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// leftBehind names the processes and files that are there when all tests are over. Processes have a
// moment to end and to remove what is theirs. One that just executes another program cannot be
// seen, so files have that moment too.
func leftBehind(root string) (left []string) {
	poll(10*time.Second, func() bool {
		left = append(faulttest.ProcessesWith(root), filesIn(root)...)
		return len(left) == 0
	})
	return left
}

// filesIn names all files in root but the programs that were built for all tests, which it removes.
func filesIn(root string) (found []string) {
	if err := os.RemoveAll(filepath.Join(root, "bin")); err != nil {
		return []string{err.Error()}
	}
	folders, err := os.ReadDir(root)
	if err != nil {
		return []string{err.Error()}
	}
	for _, f := range folders {
		file := filepath.Join(root, f.Name())
		// testscript leaves its folder if -run leaves out scripts
		if entries, err := os.ReadDir(file); err != nil || len(entries) > 0 {
			found = append(found, file)
			for _, e := range entries {
				found = append(found, filepath.Join(file, e.Name()))
			}
		}
	}
	return found
}

// poll waits until something holds, and returns false if it does not within the time.
func poll(most time.Duration, holds func() bool) bool {
	end := time.Now().Add(most)
	for pause := 10 * time.Millisecond; !holds(); pause = min(2*pause, 500*time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}
