//go:build unix

package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godags/godags/internal/fault"
)

// currentWorkspaces returns the folder of workspaces that a command has just used.
func currentWorkspaces(t *testing.T) *workspaces {
	t.Helper()
	shell("true").must(t)
	current.Lock()
	defer current.Unlock()
	return current.workspaces
}

func TestWorkspaces_ShareOneWatchdog(t *testing.T) {
	before := currentWorkspaces(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = shell("true").do(t) })
	}
	wg.Wait()
	if after := currentWorkspaces(t); after != before || after.watchdog.lines > 8 || after.inUse != 0 {
		t.Errorf("%d lines are watched, %d workspaces in use: want at most 8 of the same folder", after.watchdog.lines, after.inUse)
	}
}

func TestWorkspaces_ReplaceAKilledWatchdog(t *testing.T) {
	before := currentWorkspaces(t)
	if err := syscall.Kill(before.watchdog.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the watchdog is replaced", func() bool { return currentWorkspaces(t) != before })
	if _, err := os.Stat(before.dir); err == nil {
		t.Errorf("the folder of the old one, %s, was left", before.dir)
	}
}

func TestWorkspaces_ReplaceAFolderThatWasCleanedAway(t *testing.T) {
	before := currentWorkspaces(t)
	if err := os.RemoveAll(before.dir); err != nil {
		t.Fatal(err)
	}
	a := shell(`echo x > "$GODAGS_OUTPUT"`)
	a.must(t)
	if string(a.output) != "x\n" {
		t.Errorf("output is %q", a.output)
	}
}

// What stands in place of the folder must neither be written to nor removed.
func TestWorkspaces_ReplaceAFolderThatBecameALink(t *testing.T) {
	before, other := currentWorkspaces(t), precious(t)
	moved := before.dir + ".moved"
	t.Cleanup(func() { os.RemoveAll(moved) })
	if err := errors.Join(os.Rename(before.dir, moved), os.Symlink(other, before.dir)); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(before.dir)

	a := shell(`ls "$GODAGS_INPUTS"; echo x > "$GODAGS_OUTPUT"`)
	a.must(t)
	if string(a.output) != "x\n" || currentWorkspaces(t) == before {
		t.Errorf("output is %q", a.output)
	}
	checkPrecious(t, other)
}

// precious returns a folder that no stage may harm.
func precious(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/data", []byte("data"), 0o600), os.Mkdir(dir+"/inputs", 0o700)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkPrecious(t *testing.T, dir string) {
	t.Helper()
	var names []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	data, dataErr := os.ReadFile(dir + "/data")
	if err := errors.Join(err, dataErr); err != nil || string(data) != "data" || strings.Join(names, " ") != "data inputs" {
		t.Errorf("what was there is harmed: it has %q, and data is %q (%v)", names, data, err)
	}
}

// Whatever a command puts in place of its folders and its output does harm neither to what is
// elsewhere nor to later commands.
func TestWorkspace_MayBeReplacedByItsCommand(t *testing.T) {
	for name, test := range map[string]struct{ script, err string }{
		"link for inputs":         {`rm -rf "$GODAGS_INPUTS"; ln -s "$PRECIOUS" "$GODAGS_INPUTS"`, ""},
		"file for inputs":         {`rm -rf "$GODAGS_INPUTS"; echo x > "$GODAGS_INPUTS"`, ""},
		"FIFO for inputs":         {`rm -rf "$GODAGS_INPUTS"; mkfifo "$GODAGS_INPUTS"`, ""},
		"read-only inputs":        {`mkdir -p "$GODAGS_INPUTS/a/b"; : > "$GODAGS_INPUTS/a/b/c"; chmod -R a-w "$GODAGS_INPUTS"`, ""},
		"links among inputs":      {`ln -s "$PRECIOUS" "$GODAGS_INPUTS/a"; ln "$PRECIOUS/data" "$GODAGS_INPUTS/b"`, ""},
		"link for output":         {`ln -s "$PRECIOUS/data" "$GODAGS_OUTPUT"`, "link"},
		"link to nothing":         {`ln -s /no/such/file "$GODAGS_OUTPUT"`, "link"},
		"FIFO for output":         {`mkfifo "$GODAGS_OUTPUT"`, "not a file"},
		"folder for output":       {`mkdir "$GODAGS_OUTPUT"`, "not a file"},
		"link for the workspace":  {`w=$(dirname "$GODAGS_OUTPUT"); rm -rf "$w"; ln -s "$PRECIOUS" "$w"`, "in place of its folder"},
		"output through the link": {`w=$(dirname "$GODAGS_OUTPUT"); rm -rf "$w"; ln -s "$OTHER" "$w"; echo x > "$GODAGS_OUTPUT"`, "in place of its folder"},
		"file for the workspace":  {`w=$(dirname "$GODAGS_OUTPUT"); rm -rf "$w"; echo x > "$w"`, "in place of its folder"},
		"no workspace":            {`rm -rf "$(dirname "$GODAGS_OUTPUT")"`, ""},
		"workspace moved away":    {`mv "$(dirname "$GODAGS_OUTPUT")" "$OTHER/moved"; : > "$OTHER/moved/data"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, other := precious(t), t.TempDir()
			t.Setenv("PRECIOUS", dir)
			t.Setenv("OTHER", other)
			a := shell(test.script)
			if err := a.do(t); (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want an error with %q", err, test.err)
			}
			if a.log.Len() > 0 {
				t.Errorf("log is %q, but all can be removed", a.log.Bytes())
			}
			checkPrecious(t, dir)
			if name == "workspace moved away" {
				if _, err := os.Stat(other + "/moved/data"); err != nil {
					t.Errorf("what was moved away is gone: %v", err)
				}
			}

			next := shell(`cp "$GODAGS_INPUTS/in" "$GODAGS_OUTPUT"; ls "$GODAGS_INPUTS"`)
			next.inputs = map[string]string{"in": "x"}
			if got := next.must(t); got != "in\n" || string(next.output) != "x" {
				t.Errorf("the next command has inputs %q and output %q", got, next.output)
			}
			checkNoWorkspaces(t)
		})
	}
}

// The tree is deeper than a process may have files open.
func TestWorkspace_IsRemovedHoweverDeep(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it makes a tree of 3,000 folders")
	}
	// One mkdir makes 50 levels, each with an empty folder beside the next one.
	const levels, rounds = 50, 30
	var folders strings.Builder
	for i := range levels {
		fmt.Fprintf(&folders, " %sf", strings.Repeat("d/", i+1))
	}
	deepest := strings.Repeat("d/", levels)
	shell(fmt.Sprintf(`cd "$GODAGS_INPUTS" && for i in $(seq %d); do mkdir -p %s && cd -P %s || exit; done`, rounds, folders.String(), deepest)).must(t)
	checkNoWorkspaces(t)
}

func TestWorkspace_IsNeverUsedAgain(t *testing.T) {
	first := strings.TrimSpace(shell(`echo "$GODAGS_OUTPUT"`).must(t))
	second := strings.TrimSpace(shell(`echo "$GODAGS_OUTPUT"`).must(t))
	if filepath.Dir(first) == filepath.Dir(second) || filepath.Dir(filepath.Dir(first)) != filepath.Dir(filepath.Dir(second)) {
		t.Errorf("got the outputs %s and %s, want them in two folders of one", first, second)
	}
}

func TestOutputsAtTheSameTimeAreNotMixedUp(t *testing.T) {
	var wg sync.WaitGroup
	for _, word := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			for range 20 {
				a := shell(`cp "$GODAGS_INPUTS/in" "$GODAGS_OUTPUT"; : > "$GODAGS_OUTPUT.part"`)
				a.inputs = map[string]string{"in": word}
				if err := a.do(t); err != nil || string(a.output) != word {
					t.Errorf("output is %q, want %s (%v)", a.output, word, err)
				}
			}
		})
	}
	wg.Wait()
	checkNoWorkspaces(t)
}

// checkNoWorkspaces looks for what commands have left.
func checkNoWorkspaces(t *testing.T) {
	t.Helper()
	w := currentWorkspaces(t)
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left in %s", e.Name(), w.dir)
	}
}

func TestWorkspace_IsRemoved(t *testing.T) {
	shell(`echo x > "$GODAGS_OUTPUT"; mkdir "$GODAGS_INPUTS/more"; : > "$GODAGS_OUTPUT.part"`).must(t)
	checkNoWorkspaces(t)
	for _, err := range []error{
		shell(`: > "$GODAGS_OUTPUT"; exit 1`).do(t),
		argv("no-such-program-here").do(t),
		shell(`: > "$GODAGS_OUTPUT"; echo ready; sleep 1000`).interrupt(t, time.Minute, "ready"),
	} {
		if err == nil {
			t.Error("a command that fails has succeeded")
		}
		checkNoWorkspaces(t)
	}
}

// A fault of the worker must be distinguished from one of the stage: the stage was not executed.
func TestWorkspace_WithoutAFolderIsTheWorkersFault(t *testing.T) {
	closeWorkspaces(t)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
	if err := shell("true").do(t); !errors.Is(err, fault.ErrWorker) {
		t.Errorf("got %v, want ErrWorker", err)
	}
}

func TestWorkspace_WithoutDescriptorsIsTheWorkersFault(t *testing.T) {
	shell("true").must(t) // the worker has its folder already
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	err := shell("true").do(t)
	if resetErr := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); resetErr != nil {
		t.Fatal(resetErr)
	}
	if !errors.Is(err, fault.ErrWorker) {
		t.Errorf("got %v, want ErrWorker", err)
	}
}
