// Package faults kills, stops and cuts off real processes, and looks at what becomes of the runs
// that they worked on.
//
// Each test is a fault that a run must survive, with what is expected. How long it took is told
// beside what is promised; only what takes far longer is a failure, since a machine that runs tests
// is busy. What takes long is behind the build tag soak, and what needs network namespaces behind
// netns: see the Makefile.
package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/godags/godags"
	"github.com/godags/godags/examples/simple"
	"github.com/godags/godags/internal/faulttest"
)

// TestMain makes the test binary the programs coordinator and worker as well.
func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){
		"coordinator": func() { godags.Main(simple.Pipeline()) },
		"worker":      func() { godags.WorkerMain(simple.Pipeline()) },
	})
}

// limit is how long a test waits for something that it expects: far longer than it takes on a busy
// machine.
const limit = 90 * time.Second

// together is how many tests run at once: most of the time they wait.
const together = "6"

// tidy runs the tests and then looks for orphaned processes.
type tidy struct{ *testing.M }

func (t tidy) Run() int {
	logging.Disable() // go-redis tells of every connection that a test breaks
	root, err := os.MkdirTemp("", "faults")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(root)
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		ours := strings.HasPrefix(name, "GODAGS_") && !strings.HasPrefix(name, "GODAGS_TEST_") && name != "GODAGS_SOAK"
		if ours || slices.Contains([]string{"REDIS_URL", "NO_COLOR", "CLICOLOR_FORCE"}, name) {
			os.Unsetenv(name)
		}
	}
	os.Setenv("TMPDIR", root)
	os.Setenv("GODAGS_KEY", "the key of the tests of faults")
	// in place of a second for each process
	os.Setenv("GORACE", "atexit_sleep_ms=50")
	// nothing is there: it marks what was started here
	os.Setenv("PATH", root+string(filepath.ListSeparator)+os.Getenv("PATH"))
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		flag.Set("test.parallel", together)
	}
	code := t.M.Run()
	var left []string
	poll(limit, func() bool {
		left = faulttest.ProcessesWith(root)
		return len(left) == 0
	})
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: orphaned processes remain:\n  %s\n", strings.Join(left, "\n  "))
		code = max(code, 1)
	}
	return code
}

// poll waits until something holds, and returns false if it does not within the time.
func poll(most time.Duration, holds func() bool) bool {
	end := time.Now().Add(most)
	for pause := 10 * time.Millisecond; !holds(); pause = min(2*pause, 200*time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}
