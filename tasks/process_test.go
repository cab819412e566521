//go:build unix

package tasks

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
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

// The shell in front dies of SIGTERM at once; the grace is for the program that does the work, and
// ends well after it here.
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

// bash does not wait for what it writes through.
func TestProcess_WaitsForTheRestOfItsSession(t *testing.T) {
	a := newAttempt(map[string]any{"shell": []string{"bash", "-c"}, "run": `
		exec > >(sleep 0.1; cat) 2>&1
		seq 300000 | tee >(sleep 0.2; gzip > "$GODAGS_OUTPUT") | tail -n 1
		echo LAST`})
	if got := a.must(t); got != "300000\nLAST\n" {
		t.Errorf("log is %q, its end is missing", got)
	}
	packed, err := gzip.NewReader(strings.NewReader(strings.TrimPrefix(string(a.values.own), "raw\n")))
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
	if !strings.Contains(log, "asked\n") || !strings.Contains(log, "is stopped: ") || !strings.Contains(log, "sleep") {
		t.Errorf("log is %q: want that all are asked to end, and a line that names them", log)
	}
}

// An output that is cut off is no success.
func TestProcess_FailsWhenItsOutputIsStillWritten(t *testing.T) {
	a := shell(`(echo begin; sleep 1000; echo end) > "$GODAGS_OUTPUT" & exit 0`)
	if err := a.do(t); err == nil || !strings.Contains(err.Error(), "still wrote it") || a.values.own != nil {
		t.Errorf("got %v and output %q, want an error that says who still wrote it", err, a.values.own)
	}
}

// The processes have groups of their own.
func TestProcess_StopsAllGroupsOfItsSession(t *testing.T) {
	const script = `timeout 1000 sleep 1000 & echo $!; sh -c 'trap "" TERM HUP; timeout 1000 sleep 1000 & echo $!; echo ready; wait' & wait`
	a := shell(script)
	if err := a.interrupt(t, Command{Grace: 10 * time.Millisecond}, "ready"); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want the cause", err)
	}
	for _, pid := range pids(t, string(a.log.Bytes()), 2) {
		waitGone(t, pid)
	}
}

// Neither its group nor its output shows that something was left.
func TestProcess_StopsWhatWasLeftUnseen(t *testing.T) {
	log := shell(`timeout 1000 sleep 1000 >/dev/null 2>&1 & echo $!; while [ "$(ps -o pgid= -p $! | tr -d ' ')" = $$ ]; do :; done`).must(t)
	if strings.Contains(log, "is stopped") {
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
	// What ignores a signal for these tests, such as nohup or a C library that keeps signal 32 to
	// itself, means their children, too.
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
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=interrupted")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
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
	params := string(shell(`sleep 1000 & echo $!; timeout 1000 sleep 1000 & echo $!; echo $$; echo ready; wait; echo after`).Params)
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
	for _, pid := range pids(t, string(log.Bytes()), 3*helperCommands) {
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
