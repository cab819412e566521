//go:build unix

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godags/godags/internal/fault"
	isolation "github.com/godags/godags/internal/process"
)

// helperEnv makes the test binary play another program: see TestMain.
const helperEnv = "COMMAND_TEST_HELPER"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(helperEnv); mode {
	case "":
		os.Exit(m.Run())
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

// daemon starts a program that makes a new session but keeps the standard output, prints its
// process ID and exits.
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
		if err := shell("true").run(context.Background()); err != nil && !errors.Is(err, fault.ErrWorker) {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// stopped executes a command that is stopped as soon as it prints something, and shows how it
// ended.
func stopped() {
	os.Unsetenv(helperEnv)
	ctx, cancel := context.WithCancel(context.Background())
	a := shell("echo ready; sleep 1000; true")
	a.Grace = time.Hour
	a.to = writerFunc(func([]byte) { cancel() })
	fmt.Println(a.run(ctx))
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

const helperCommands = 3

// worker executes a script, a few times at once, and shows what the commands print.
func worker(script string) {
	os.Unsetenv(helperEnv)
	var wg sync.WaitGroup
	for range helperCommands {
		wg.Go(func() {
			a := shell(script)
			a.to = os.Stdout
			if err := a.run(context.Background()); err != nil {
				panic(err)
			}
		})
	}
	wg.Wait()
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text)
}

func (b *buffer) Len() int { return len(b.Bytes()) }

// attempt is a program in a workspace, with its inputs, its log and its output.
type attempt struct {
	Program
	script string            // if not empty, a file that the shell reads
	inputs map[string]string // by name
	log    *buffer
	to     io.Writer // where output goes; log if nil
	output []byte    // nil if there is none
}

func argv(argv ...string) *attempt { return &attempt{Program: Program{Argv: argv}, log: new(buffer)} }

func shell(text string) *attempt { return argv("sh", "-c", text) }

// run executes the attempt as the handler of commands does.
func (a *attempt) run(ctx context.Context) (err error) {
	log := a.to
	if log == nil {
		log = a.log
	}
	w, err := NewWorkspace(log)
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := w.Remove(); removeErr != nil {
			fmt.Fprintf(log, "godags: %v\n", removeErr)
		}
	}()

	inputs := w.Inputs()
	for name, content := range a.inputs {
		err = errors.Join(err, inputs.WriteFile(name, []byte(content)))
	}
	inputs.Close()
	if err != nil {
		return err
	}

	p := a.Program
	p.Env = append(isolation.Public(os.Environ()), "GODAGS_INPUTS="+w.InputsPath(), "GODAGS_OUTPUT="+w.OutputPath())
	if p.User != nil {
		for name, value := range p.User.Env() {
			p.Env = append(p.Env, name+"="+value)
		}
	}
	if a.script != "" {
		read, err := w.WriteScript(a.script)
		if err != nil {
			return err
		}
		p.Argv = append(p.Argv, read)
	}
	if err := p.Run(ctx, w, log); err != nil {
		return err
	}
	a.output, err = w.AppendOutput(nil, p.User)
	if errors.Is(err, fs.ErrNotExist) {
		a.output, err = nil, nil
	}
	return err
}

func (a *attempt) do(t *testing.T) error {
	t.Helper()
	return a.run(t.Context())
}

// must executes the attempt and returns its log.
func (a *attempt) must(t *testing.T) string {
	t.Helper()
	if err := a.do(t); err != nil {
		t.Fatalf("%v\n%s", err, a.log.Bytes())
	}
	return string(a.log.Bytes())
}

var errStopped = errors.New("the run was cancelled")

// interrupt starts the attempt, cancels it once its log has all of the words, and returns the
// outcome, which must be an error.
func (a *attempt) interrupt(t *testing.T, grace time.Duration, words ...string) error {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	a.Grace = grace
	go func() { done <- a.run(ctx) }()
	for _, word := range words {
		eventually(t, "the log has "+word, func() bool { return bytes.Contains(a.log.Bytes(), []byte(word)) })
	}
	cancel(errStopped)
	err := <-done
	if err == nil {
		t.Error("an attempt that was cancelled has succeeded")
	}
	return err
}

// closeWorkspaces makes the next command open a new folder of workspaces.
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

// pids returns the numbers that are whole lines of a log.
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

// waitGone waits until a process has ended. A zombie counts as ended.
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
