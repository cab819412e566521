//go:build unix

package tasks

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// currentOffice returns the office that a command has just used.
func currentOffice(t *testing.T) *office {
	t.Helper()
	shell("true").must(t)
	commands.Lock()
	defer commands.Unlock()
	return commands.office
}

func TestCommandsShareOneGuard(t *testing.T) {
	before := currentOffice(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = shell("true").do(t) })
	}
	wg.Wait()
	if after := currentOffice(t); after != before || after.desks > 8 || after.busy != 0 {
		t.Errorf("there are %d desks, %d busy: want at most 8 of the same office", after.desks, after.busy)
	}
}

func TestGuardThatWasKilledIsReplaced(t *testing.T) {
	before := currentOffice(t)
	if err := syscall.Kill(before.guard.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the guard is replaced", func() bool { return currentOffice(t) != before })
	if _, err := os.Stat(before.dir); err == nil {
		t.Errorf("the folder of the old one, %s, was left", before.dir)
	}
}

func TestFolderThatWasCleanedAwayIsReplaced(t *testing.T) {
	before := currentOffice(t)
	if err := os.RemoveAll(before.dir); err != nil {
		t.Fatal(err)
	}
	a := shell(`echo x > "$GODAGS_OUTPUT"`)
	a.must(t)
	if string(a.values.own) != "raw\nx\n" {
		t.Errorf("output is %q", a.values.own)
	}
	if err := os.RemoveAll(currentOffice(t).dir + "/0"); err != nil {
		t.Fatal(err)
	}
	shell(`ls "$GODAGS_INPUTS" && : > "$GODAGS_OUTPUT"`).must(t)
}

// What is written late, by a process that has left its group, must not become the output of a later command in the same folder.
func TestOutputsHaveNamesOfTheirOwn(t *testing.T) {
	first := strings.TrimSpace(shell(`echo "$GODAGS_OUTPUT"`).must(t))
	second := shell(`echo late > ` + first)
	second.must(t)
	if second.values.own != nil {
		t.Errorf("the output is %q, of another command", second.values.own)
	}
}

func TestOutputsAtTheSameTimeAreNotMixedUp(t *testing.T) {
	var wg sync.WaitGroup
	for _, word := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			for range 20 {
				a := shell(`cp "$GODAGS_INPUTS/in" "$GODAGS_OUTPUT"; : > "$GODAGS_OUTPUT.part"`)
				a.After, a.values.outputs = []string{"in"}, map[string]string{"in": "raw\n" + word}
				if err := a.do(t); err != nil || string(a.values.own) != "raw\n"+word {
					t.Errorf("output is %q, want %s (%v)", a.values.own, word, err)
				}
			}
		})
	}
	wg.Wait()
	checkDesksClear(t)
}

// checkDesksClear looks for what commands have left.
func checkDesksClear(t *testing.T) {
	t.Helper()
	o := currentOffice(t)
	for _, d := range o.free {
		for _, dir := range []string{d.dir(), d.inputs()} {
			entries, err := os.ReadDir(dir)
			for _, e := range entries {
				if e.Name() != "inputs" {
					t.Errorf("%s was left in %s", e.Name(), dir)
				}
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}
