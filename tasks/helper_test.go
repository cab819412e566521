//go:build unix

package tasks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// helperEnv makes the test binary play another program: see TestMain.
const helperEnv = "TASKS_TEST_HELPER"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(helperEnv); mode {
	case "":
		os.Exit(m.Run())
	case "exit":
		os.Exit(7)
	case "daemon":
		daemon()
	case "interrupted":
		interrupted()
	case "stop":
		stopped()
	default:
		worker(mode)
	}
}

// daemon starts a program that leaves the process group but keeps the standard output, prints its
// pid and exits.
func daemon() {
	cmd := exec.Command("sleep", "1000")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Println(cmd.Process.Pid)
}

// interrupted executes commands while Ctrl-C is pressed all the time.
func interrupted() {
	os.Unsetenv(helperEnv)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	go func() {
		for {
			_ = syscall.Kill(0, syscall.SIGINT)
		}
	}()
	for range 100 {
		a := shell("true")
		if err := (Command{}).Handle(context.Background(), &a.Stage); err != nil && !errors.Is(err, ErrWorker) {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// stopped executes a command that is stopped as soon as it says something, and shows how it ended.
func stopped() {
	os.Unsetenv(helperEnv)
	ctx, cancel := context.WithCancel(context.Background())
	a := shell("echo ready; sleep 1000; true")
	a.Log = writerFunc(func([]byte) { cancel() })
	fmt.Println(Command{Grace: time.Hour}.Handle(ctx, &a.Stage))
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

const helperCommands = 3

// worker executes the command with params, a few times at once, and shows what they log.
func worker(params string) {
	os.Unsetenv(helperEnv)
	var wg sync.WaitGroup
	for range helperCommands {
		wg.Go(func() {
			if err := (Command{}).Handle(context.Background(), &Stage{Params: json.RawMessage(params), Log: os.Stdout}); err != nil {
				panic(err)
			}
		})
	}
	wg.Wait()
}

// fakeValues are the outputs of other stages, and the one of the stage under test.
type fakeValues struct {
	Values
	outputs map[string]string
	own     []byte
}

func (v *fakeValues) Output(_ context.Context, stage string) ([]byte, error) {
	if value, ok := v.outputs[stage]; ok {
		return []byte(value), nil
	}
	return nil, fmt.Errorf("stage %s: %w", stage, ErrNoOutput)
}

func (v *fakeValues) SetOutput(value []byte) { v.own = value }

// attempt is a stage that executes a command, with what it leaves behind.
type attempt struct {
	Stage
	values *fakeValues
	log    *LogBuffer
}

func newAttempt(params any) *attempt {
	text, err := json.Marshal(params)
	if err != nil {
		panic(err)
	}
	a := &attempt{values: &fakeValues{}, log: NewLogBuffer(0)}
	a.Stage = Stage{Run: "r1", Pipeline: "wine", Name: "train", Attempt: 2, Params: text, Log: a.log, Values: a.values}
	return a
}

func shell(text string) *attempt { return newAttempt(map[string]string{"run": text}) }

func argv(argv ...string) *attempt { return newAttempt(map[string][]string{"argv": argv}) }

func (a *attempt) do(t *testing.T) error {
	t.Helper()
	return Run(t.Context(), Command{}, &a.Stage)
}

// must executes the attempt and returns its output.
func (a *attempt) must(t *testing.T) string {
	t.Helper()
	if err := a.do(t); err != nil {
		t.Fatalf("%v\n%s", err, a.log.Bytes())
	}
	return string(a.log.Bytes())
}

var errStopped = errors.New("the run was cancelled")

// interrupt starts the attempt, cancels it once its log has all of the words, and returns the
// outcome.
func (a *attempt) interrupt(t *testing.T, c Command, words ...string) error {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- Run(ctx, c, &a.Stage) }()
	for _, word := range words {
		eventually(t, "the log has "+word, func() bool { return bytes.Contains(a.log.Bytes(), []byte(word)) })
	}
	cancel(errStopped)
	return <-done
}

// closeWorkspaces lets the next command open new ones.
func closeWorkspaces(t *testing.T) {
	t.Helper()
	current.Lock()
	defer current.Unlock()
	if current.workspaces != nil {
		if err := current.workspaces.closeIfUnused(); err != nil {
			t.Error(err)
		}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// pids returns the numbers that a log has as lines of their own.
func pids(t *testing.T, log string, want int) []int {
	t.Helper()
	var found []int
	for line := range strings.Lines(log) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			found = append(found, pid)
		}
	}
	if len(found) != want {
		t.Fatalf("%d pids in the log, want %d:\n%s", len(found), want, log)
	}
	return found
}

// waitGone waits until a process has ended. One that nobody waits for counts as ended.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		return err != nil || bytes.HasPrefix(bytes.TrimSpace(state), []byte("Z"))
	})
}
