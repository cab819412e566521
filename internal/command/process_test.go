//go:build unix

package command

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestProcess_IsKilledWithItsChildrenAfterTheGrace(t *testing.T) {
	a := shell(`trap '' TERM; sleep 1000 & echo $!; sleep 1000 & echo $!; echo $$; echo ready; wait`)
	err := a.interrupt(t, 10*time.Millisecond, "ready")
	if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Signal != "SIGKILL" {
		t.Errorf("got %v, want SIGKILL", err)
	}
	for _, pid := range pids(t, string(a.log.Bytes()), 3) {
		waitGone(t, pid)
	}
}

func TestProcess_GetsSIGTERMFirst(t *testing.T) {
	a := shell(`echo ready; exec sleep 1000`)
	err := a.interrupt(t, time.Hour, "ready")
	if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Signal != "SIGTERM" {
		t.Errorf("got %v, want SIGTERM", err)
	}
}

func TestProcess_HasNoGraceWhenRevoked(t *testing.T) {
	const stubborn = `trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done`
	for when, words := range map[string][]string{"while it runs": {"ready"}, "while it has its grace": {"ready", "asked"}} {
		a := shell(stubborn)
		revoked := make(chan struct{})
		a.Revoked = revoked
		a.Grace = time.Hour
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.run(ctx) }()
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

func TestProcess_FailsWhenCancelledEvenWithStatus0(t *testing.T) {
	a := shell(`trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
	if err := a.interrupt(t, time.Hour, "ready"); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want the cause", err)
	}
}

// The shell in front dies of SIGTERM at once; the grace is for the program that does the work, and
// ends well after it here.
func TestProcess_GivesTheGraceToTheWholeGroup(t *testing.T) {
	a := shell(`(trap 'while kill -0 $$; do :; done; sleep 0.05; echo saved; exit 0' TERM; echo ready; while :; do sleep 0.01; done); echo after`)
	a.interrupt(t, time.Hour, "ready")
	got := string(a.log.Bytes())
	if !strings.Contains(got, "saved\n") {
		t.Errorf("log is %q: the child was not given the time to save", got)
	}
	if strings.Contains(got, "after\n") {
		t.Errorf("log is %q: the shell in front was not stopped", got)
	}
}

// bash does not wait for what it writes through.
func TestProcess_WaitsForTheRestOfItsSession(t *testing.T) {
	a := argv("bash", "-c", `
		exec > >(sleep 0.1; cat) 2>&1
		seq 300000 | tee >(sleep 0.2; gzip > "$GODAGS_OUTPUT") | tail -n 1
		echo LAST`)
	if got := a.must(t); got != "300000\nLAST\n" {
		t.Errorf("log is %q, its end is missing", got)
	}
	packed, err := gzip.NewReader(bytes.NewReader(a.output))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(packed); err != nil || !bytes.HasSuffix(text, []byte("\n300000\n")) {
		t.Errorf("the output has %d bytes, its end is missing (%v)", len(text), err)
	}
}

func TestProcess_StopsTheRestOfItsSession(t *testing.T) {
	a := shell(`(trap 'echo asked; exit' TERM; while :; do sleep 0.01; done) & echo $!; trap '' TERM; sleep 1000 & echo $!`)
	begin := time.Now()
	log := a.must(t)
	for _, pid := range pids(t, log, 2) {
		waitGone(t, pid)
	}
	if took := time.Since(begin); took < lingerTime+lingerGrace {
		t.Errorf("what was left running had %v to end", took)
	}
	if !strings.Contains(log, "asked\n") || !strings.Contains(log, "are stopped: ") || !strings.Contains(log, "sleep") {
		t.Errorf("log is %q: want that all are asked to end, and a line that names them", log)
	}
}

// An output that is cut off is no success.
func TestProcess_FailsWhenItsOutputIsStillWritten(t *testing.T) {
	a := shell(`(echo begin; sleep 1000; echo end) > "$GODAGS_OUTPUT" & exit 0`)
	if err := a.do(t); err == nil || !strings.Contains(err.Error(), "still wrote it") || a.output != nil {
		t.Errorf("got %v and output %q, want an error that names the writer", err, a.output)
	}
}

// The processes have separate groups.
func TestProcess_StopsAllGroupsOfItsSession(t *testing.T) {
	const script = `timeout 1000 sleep 1000 & echo $!; sh -c 'trap "" TERM HUP; timeout 1000 sleep 1000 & echo $!; echo ready; wait' & wait`
	a := shell(script)
	a.interrupt(t, 10*time.Millisecond, "ready")
	for _, pid := range pids(t, string(a.log.Bytes()), 2) {
		waitGone(t, pid)
	}
}

// Neither its group nor its output shows that something was left.
func TestProcess_StopsWhatWasLeftUnseen(t *testing.T) {
	log := shell(`timeout 1000 sleep 1000 >/dev/null 2>&1 & echo $!; while [ "$(ps -o pgid= -p $! | tr -d ' ')" = $$ ]; do :; done`).must(t)
	if strings.Contains(log, "are stopped") {
		t.Fatalf("log is %q: it was seen at once", log)
	}
	waitGone(t, pids(t, log, 1)[0])
}

func TestProcess_HasNoTerminalAndNoBlockedSignals(t *testing.T) {
	log := shell(`(: </dev/tty) 2>/dev/null && echo terminal; ps -o pid=,pgid=,sid= -p $$; grep -e SigBlk -e SigIgn /proc/self/status || :`).must(t)
	ids := strings.Fields(strings.SplitN(log, "\n", 2)[0])
	if len(ids) != 3 || ids[0] != ids[1] || ids[0] != ids[2] {
		t.Errorf("pid, group and session are %q, want three that are the same", ids)
	}
	// Children inherit the signals that this test ignores, for instance because of nohup, or
	// because a C library keeps signal 32 for itself.
	own, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) {
		return // only Linux tells
	}
	if err != nil {
		t.Fatal(err)
	}
	inherited := signalMask(t, string(own), "SigIgn")
	if ignored := signalMask(t, log, "SigIgn"); ignored&^inherited != 0 {
		t.Errorf("ignored are signals %x, and these tests ignore %x only", ignored, inherited)
	}
	if blocked := signalMask(t, log, "SigBlk"); blocked != 0 {
		t.Errorf("blocked are signals %x", blocked)
	}
}

// signalMask returns a mask from the text of /proc/PID/status.
func signalMask(t *testing.T, status, name string) uint64 {
	t.Helper()
	for line := range strings.Lines(status) {
		if mask, ok := strings.CutPrefix(line, name+":\t"); ok {
			signals, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return signals
		}
	}
	t.Fatalf("there is no %s in %q", name, status)
	return 0
}

// Between fork and setsid a command is still in the group of its worker, which Ctrl-C reaches.
func TestProcess_SurvivesSignalsToTheGroupOfItsWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it starts hundreds of processes under signals")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=interrupted")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestProcess_LeavesNoProcessOfItsGroup(t *testing.T) {
	log := shell(`sleep 1000 & echo $!; trap '' HUP TERM; sleep 1000 & echo $!`).must(t)
	for _, pid := range pids(t, log, 2) {
		waitGone(t, pid)
	}
}

func TestProcess_DoesNotWaitForANewSession(t *testing.T) {
	t.Setenv(helperEnv, "daemon")
	log := argv(os.Args[0]).must(t)
	pid := pids(t, log, 1)[0]
	defer waitGone(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the process that left the group was not left alone: %v", err)
	}
}

func TestWatchdog_KillsCommandsOfAKilledWorker(t *testing.T) {
	tmp := t.TempDir()
	script := `sleep 1000 & echo $!; timeout 1000 sleep 1000 & echo $!; echo $$; echo ready; wait; echo after`
	log := new(buffer)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+script, "TMPDIR="+tmp)
	cmd.Stdout, cmd.Stderr = log, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command runs", func() bool { return bytes.Count(log.Bytes(), []byte("ready")) == helperCommands })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range pids(t, string(log.Bytes()), 3*helperCommands) {
		waitGone(t, pid)
	}
	eventually(t, "the folder of inputs and output is removed", func() bool {
		left, err := os.ReadDir(tmp)
		return err == nil && len(left) == 0
	})
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestProcess_IsNotBlockedByALogThatFails(t *testing.T) {
	a := shell("head -c 1000000 /dev/zero")
	a.to = fullDisk{}
	if err := a.do(t); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want the log's error", err)
	}
}

func TestProcess_IsCancelledWithoutItsNewSession(t *testing.T) {
	a := shell(`trap '' TERM; ` + helperEnv + `=daemon "` + os.Args[0] + `"; echo ready; while :; do sleep 0.01; done`)
	a.interrupt(t, 10*time.Millisecond, "ready")
	pid := pids(t, string(a.log.Bytes()), 1)[0]
	defer waitGone(t, pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the process that left the group was not left alone: %v", err)
	}
}
