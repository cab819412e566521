package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a program that was started and runs until it is stopped.
type process struct {
	pid  int
	stop func() error // asks it to end and waits for that; calling it again returns the same
}

// stopTime is how long a process may take for its end before it is killed.
const stopTime = 5 * time.Second

// launch starts a program that ends, at the latest, when ctx does. Its standard output goes to out,
// if that is not nil.
func launch(ctx context.Context, out io.Writer, name string, args ...string) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd, said := command(ctx, name, args...)
	if out != nil {
		cmd.Stdout = out
	}

	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}

	// Waited for at once, so that stop can tell a process that has crashed from one that it ends.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it was told to end, or stop finds that it was not
	}()

	return &process{cmd.Process.Pid, sync.OnceValue(func() (err error) {
		select {
		case <-ended:
			err = fmt.Errorf("%s ended before its time: %s", name, said)
		default:
		}

		cancel()
		<-ended
		return err
	})}, nil
}

// execute runs a program to its end, with additions to its environment, and returns what it wrote
// to its standard output.
func execute(ctx context.Context, folder string, env []string, name string, args ...string) (string, *exec.Cmd, error) {
	var out bytes.Buffer
	cmd, said := command(ctx, name, args...)
	cmd.Stdout, cmd.Dir = &out, folder
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		// The cause says why it was stopped, such as a peer that is too slow.
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", cmd, fmt.Errorf("%s: %w: %s", name, err, said)
	}

	return out.String(), cmd, nil
}

func command(ctx context.Context, name string, args ...string) (*exec.Cmd, *tail) {
	cmd, said := exec.CommandContext(ctx, name, args...), &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	// A worker drains on SIGTERM. SIGKILL would leave its commands and its tasks for the next
	// sample.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	return cmd, said
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// peakMemory is the most memory that a process that has ended was seen with, in bytes.
func peakMemory(cmd *exec.Cmd) float64 {
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss) * 1024 // Linux counts in KiB
}
