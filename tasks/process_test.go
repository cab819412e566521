//go:build unix

package tasks

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCommandThatIgnoresTermIsKilledWithItsChildren(t *testing.T) {
	a := shell(`trap '' TERM; sleep 1000 & echo $!; sleep 1000 & echo $!; echo $$; echo ready; wait`)
	err := a.interrupt(t, Command{Grace: 10 * time.Millisecond}, "ready")
	var exit *ExitError
	if !errors.Is(err, errStopped) || !errors.As(err, &exit) || exit.Signal != "SIGKILL" {
		t.Errorf("got %v, want the cause and SIGKILL", err)
	}
	for _, pid := range pids(t, string(a.log.Bytes()), 3) {
		waitGone(t, pid)
	}
}

func TestCancelledCommandStopsPolitely(t *testing.T) {
	a := shell(`echo ready; exec sleep 1000`)
	err := a.interrupt(t, Command{Grace: time.Hour}, "ready")
	if want := errStopped.Error() + ": killed by SIGTERM"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestARevokedCommandHasNoGrace(t *testing.T) {
	const stubborn = `trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done`
	for when, words := range map[string][]string{"while it runs": {"ready"}, "while it has its grace": {"ready", "asked"}} {
		a := shell(stubborn)
		revoked := make(chan struct{})
		a.Revoked = revoked
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, Command{Grace: time.Hour}, &a.Stage) }()
		for _, word := range words {
			eventually(t, "the log has "+word, func() bool { return bytes.Contains(a.log.Bytes(), []byte(word)) })
			if word == "ready" && len(words) > 1 {
				cancel(errStopped)
			}
		}
		close(revoked)
		cancel(errStopped)
		err := <-done
		if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Signal != "SIGKILL" {
			t.Errorf("%s: got %v, want SIGKILL", when, err)
		}
		if asked := bytes.Contains(a.log.Bytes(), []byte("asked")); asked != (len(words) > 1) {
			t.Errorf("%s: asked to stop: %v", when, asked)
		}
	}
}

func TestCancelledCommandIsNoSuccess(t *testing.T) {
	a := shell(`trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
	if err := a.interrupt(t, Command{Grace: time.Hour}, "ready"); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want the cause", err)
	}
}

// The shell in front dies of SIGTERM at once; the grace is for the program that does the work, and ends well after it here.
func TestGraceIsForTheWholeGroup(t *testing.T) {
	a := shell(`(trap 'while kill -0 $$; do :; done; sleep 0.05; echo saved; exit 0' TERM; echo ready; while :; do sleep 0.01; done); echo after`)
	if err := a.interrupt(t, Command{Grace: time.Hour}, "ready"); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want the cause", err)
	}
	got := string(a.log.Bytes())
	if !strings.Contains(got, "saved\n") {
		t.Errorf("log is %q: the child was not given the time to save", got)
	}
	if strings.Contains(got, "after\n") {
		t.Errorf("log is %q: the shell in front was not stopped", got)
	}
}

func TestCommandLeavesNoProcessOfItsGroup(t *testing.T) {
	log := shell(`sleep 1000 & echo $!; trap '' HUP TERM; sleep 1000 & echo $!`).must(t)
	for _, pid := range pids(t, log, 2) {
		waitGone(t, pid)
	}
}

func TestProcessThatLeftTheGroupDoesNotHoldTheStageUp(t *testing.T) {
	t.Setenv(helperEnv, "daemon")
	log := argv(os.Args[0]).must(t)
	pid := pids(t, log, 1)[0]
	defer waitGone(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the process that left the group was not left alone: %v", err)
	}
}

func TestNothingOutlivesAKilledWorker(t *testing.T) {
	tmp := t.TempDir()
	params := string(shell(`sleep 1000 & echo $!; echo $$; echo ready; wait; echo after`).Params)
	log := NewLogBuffer(0)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+params, "TMPDIR="+tmp)
	cmd.Stdout, cmd.Stderr = log, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command runs", func() bool { return bytes.Count(log.Bytes(), []byte("ready")) == helperCommands })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range pids(t, string(log.Bytes()), 2*helperCommands) {
		waitGone(t, pid)
	}
	eventually(t, "the folder of inputs and output is removed", func() bool {
		left, err := os.ReadDir(tmp)
		return err == nil && len(left) == 0
	})
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestMuchOutputNeedsLittleMemory(t *testing.T) {
	const size = 200_000_000
	a := shell("echo first; head -c 200000000 /dev/zero | tr '\\0' x; echo; echo last")
	var log string
	if used := allocated(func() { log = a.must(t) }); used > 4<<20 {
		t.Errorf("%d bytes were allocated for %d bytes of output", used, size)
	}
	if a.log.Len() != size+int64(len("first\n\nlast\n")) {
		t.Errorf("%d bytes arrived", a.log.Len())
	}
	if !strings.HasPrefix(log, "first\n") || !strings.HasSuffix(log, "x\nlast\n") || len(log) > DefaultLogLimit+100 {
		t.Errorf("log of %d bytes has lost its start or end", len(log))
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestLogThatFailsDoesNotBlockTheCommand(t *testing.T) {
	a := shell("head -c 1000000 /dev/zero")
	a.Log = fullDisk{}
	if err := a.do(t); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want the log's error", err)
	}
}

func BenchmarkCommand(b *testing.B) {
	a := shell("true")
	for b.Loop() {
		if err := Run(b.Context(), Command{}, &a.Stage); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCancelledCommandThatHasForkedAway(t *testing.T) {
	a := shell(`trap '' TERM; ` + helperEnv + `=daemon "` + os.Args[0] + `"; echo ready; while :; do sleep 0.01; done`)
	if err := a.interrupt(t, Command{Grace: 10 * time.Millisecond}, "ready"); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want the cause", err)
	}
	pid := pids(t, string(a.log.Bytes()), 1)[0]
	defer waitGone(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the process that left the group was not left alone: %v", err)
	}
}
