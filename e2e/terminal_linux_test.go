package e2e

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal is a person's end of a terminal: what is written to it was typed.
type terminal struct {
	*os.File
	done   chan struct{}
	mu     sync.Mutex
	screen []byte // all that was printed
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (*terminal, *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		skip(t, fmt.Sprintf("there are no terminals here: mount /dev/pts to run this test: %v", err))
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100})
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &terminal{File: person, done: make(chan struct{})}, program
}

// watch reads until no process has the terminal open any more.
func (t *terminal) watch() {
	defer close(t.done)
	buf := make([]byte, 4096)
	for {
		n, err := t.Read(buf)
		t.mu.Lock()
		t.screen = append(t.screen, buf[:n]...)
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.screen)
}

// onTerminal starts a program that has a terminal for input, output and Ctrl-C.
func (w *world) onTerminal(program string, args ...string) (*process, *terminal) {
	w.t.Helper()
	person, end := openTerminal(w.t)
	cmd := w.command(program, args...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	if err := end.Close(); err != nil {
		w.t.Fatal(err)
	}
	p := &process{cmd, "", make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	go person.watch()
	w.t.Cleanup(func() {
		p.kill()
		<-person.done
		person.Close()
		if w.t.Failed() {
			w.t.Logf("the terminal:\n%q", person)
		}
	})
	return p, person
}

// press types keys.
func (w *world) press(t *terminal, keys string) {
	w.t.Helper()
	if _, err := io.WriteString(t, keys); err != nil {
		w.t.Fatal(err)
	}
}

const ctrlC = "\x03"

// checkTerminal finds out whether a terminal was left as a person needs it.
func (w *world) checkTerminal(t *terminal) {
	w.t.Helper()
	<-t.done
	screen := t.String()
	for off, on := range map[string]string{"\x1b[?25l": "\x1b[?25h", "\x1b[?7l": "\x1b[?7h"} {
		if strings.LastIndex(screen, off) > strings.LastIndex(screen, on) {
			w.t.Errorf("%q is not undone by %q", off, on)
		}
	}
	if strings.Contains(screen, "\x1b[?1049h") {
		w.t.Error("the alternate screen was used")
	}
}

func TestARunOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run, person := w.onTerminal("coordinator", "run", "simple")
	w.ended(run, 0)
	w.checkTerminal(person)
	for _, want := range []string{"stage_6", "succeeded", "6 succeeded"} {
		if !strings.Contains(person.String(), want) {
			t.Errorf("the terminal does not show %q", want)
		}
	}
}

func TestATerminalThatShowsASCIIOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set("LC_ALL", "C")
	for command, want := range map[string]string{"run": "+ simple succeeded", "graph": "| stage_6 |"} {
		program, person := w.onTerminal("coordinator", command, "simple")
		w.ended(program, 0)
		w.checkTerminal(person)
		if screen := person.String(); !strings.Contains(screen, want) || strings.ContainsFunc(screen, func(r rune) bool { return r >= utf8.RuneSelf }) {
			t.Errorf("%s: want %q, and nothing but ASCII", command, want)
		}
	}
}

// Ctrl-C reaches every process that runs in the foreground of a terminal. It must not reach the
// workers of a run by itself: they would drain, and their stages be executed again elsewhere.
func TestCtrlCOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("held.json", held)
	run, person := w.onTerminal("coordinator", "run", "held.json", "--run-id", "held", "--workers", "2")
	w.awaitHeld()
	w.await("the block that shows what runs", func() bool {
		return strings.Contains(person.String(), "0/3]") && strings.Contains(person.String(), "victim")
	})
	w.press(person, ctrlC)
	w.ended(run, 130)
	w.checkTerminal(person)
	w.dead("victim.1")
	w.dead("witness.1")
	ends := make(map[string]string)
	for _, e := range w.events("held") {
		ends[e.Stage] = strings.TrimPrefix(e.Type, "stage.")
		if e.Type == "stage.lost" {
			t.Errorf("%s was lost: %s", e.Stage, e.Reason)
		}
	}
	if ends["victim"] != "cancelled" || ends["witness"] != "cancelled" || ends["after"] != "cancelled" {
		t.Errorf("%v", ends)
	}
}

func TestASecondCtrlCLeavesAtOnceAndTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("stubborn.json", `{"stages": [{"name": "stubborn", "run": "trap '' TERM INT; echo $$ >pid; while :; do sleep 0.1; done"}]}`)
	run, person := w.onTerminal("coordinator", "run", "stubborn.json", "--run-id", "stubborn", "--grace", "10m")
	w.await("the stage runs", func() bool { return w.has("pid") })
	w.press(person, ctrlC)
	w.await("what Ctrl-C does is said", func() bool { return strings.Contains(person.String(), "once more: kill them") })
	w.press(person, ctrlC)
	w.ended(run, 130)
	w.checkTerminal(person)
	w.dead("pid")
	w.coordinator("runs") // the next command stops the Redis that was left
}

// Else a program that asks there would be stopped for ever, since it is not in the foreground.
func TestAStageHasNoTerminal(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"--concurrency", "--workers"} {
		w := newWorld(t)
		w.needRedis()
		w.write("tty.json", `{"stages": [{"name": "ask", "run": "if (: </dev/tty) 2>/dev/null; then read -r answer </dev/tty; fi; echo went on"}]}`)
		run, person := w.onTerminal("coordinator", "run", "tty.json", how, "1")
		w.ended(run, 0)
		w.checkTerminal(person)
	}
}
