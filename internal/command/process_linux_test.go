package command

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the parent of all orphans, as the first process of a container
// is.
func adoptOrphans(t *testing.T) {
	t.Helper()
	set := func(on uintptr) {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, on, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

func checkNoChildren(t *testing.T) {
	t.Helper()
	closeWorkspaces(t) // the watchdog is a child too
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("a child was left: pid %d, %v", pid, err)
	}
}

func TestSession_LeavesNoZombiesInAContainer(t *testing.T) {
	adoptOrphans(t)
	shell(`sleep 1000 & (sleep 1000 & sleep 1000) & echo done`).must(t)
	checkNoChildren(t)
}

// A zombie counts as a member of its group, so that the grace would never end early.
func TestSession_IsCancelledInAContainer(t *testing.T) {
	adoptOrphans(t)
	shell("echo ready; sleep 1000; true").interrupt(t, time.Hour, "ready")
	checkNoChildren(t)
}

// The parent of orphans, which is this test, does not wait for them while the worker looks whether
// the group is gone.
func TestSession_DoesNotSpendTheGraceOnZombies(t *testing.T) {
	adoptOrphans(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=stop")
	out, err := cmd.Output()
	if string(out) != "killed by SIGTERM\n" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	closeWorkspaces(t)
	// The watchdog of the helper is a child of this process as well.
	for err = nil; err == nil || errors.Is(err, unix.EINTR); {
		_, err = unix.Wait4(-1, nil, 0, nil)
	}
}
