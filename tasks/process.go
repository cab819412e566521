package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

const (
	// drainTime is how long output is still read after a command and its group have ended: only a process that left the group can write then.
	drainTime = time.Second
	// pollTime is how often a group that is to end is looked at.
	pollTime = 5 * time.Millisecond
)

// program is a command to execute.
type program struct {
	argv   []string
	env    []string
	folder string        // the guard removes it too
	grace  time.Duration // from SIGTERM to SIGKILL
}

// execute returns when the command and its process group are gone and their output is in log.
func (p program) execute(ctx context.Context, log io.Writer) error {
	// Linux kills the command when the thread that started it ends, so the thread must stay until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	watch, stopGuard := startGuard(p.folder, log)
	defer stopGuard()
	cmd, output, err := p.start()
	if err != nil {
		return err
	}
	defer output.Close()
	g := group(cmd.Process.Pid)
	watch(g)

	copied := make(chan error, 1)
	go func() { copied <- copyOutput(log, output) }()
	ended, interrupted := make(chan struct{}), make(chan bool, 1)
	go func() { interrupted <- g.stopWhenDone(ctx, ended, p.grace) }()

	waitErr := cmd.Wait()
	close(ended)
	wasInterrupted := <-interrupted
	g.kill()
	waitUntil(g.reaped, drainTime)
	drain := time.AfterFunc(drainTime, func() { output.Close() })
	defer drain.Stop()
	logErr := <-copied

	if waitErr == nil && wasInterrupted {
		waitErr = context.Cause(ctx)
	}
	return errors.Join(exitError(waitErr), logErr)
}

// start returns the started command and the end of the pipe from which its output is read.
func (p program) start() (*exec.Cmd, *os.File, error) {
	output, input, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("pipe for the output: %w", err)
	}
	defer input.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env = p.env
	cmd.Stdout, cmd.Stderr = input, input
	cmd.SysProcAttr = leaderAttr()
	if err := cmd.Start(); err != nil {
		output.Close()
		return nil, nil, startError(p.argv[0], err)
	}
	return cmd, output, nil
}

func startError(name string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("program %q is not in the worker's PATH (%s): install it there or give its full path: %w", name, os.Getenv("PATH"), err)
	}
	return fmt.Errorf("cannot start %q: %w", name, err)
}

// copyOutput reads output to its end, also when log fails, since the command would wait for a reader otherwise.
func copyOutput(log io.Writer, output *os.File) error {
	_, err := io.Copy(log, output)
	if err == nil || errors.Is(err, os.ErrClosed) {
		return nil
	}
	_, _ = io.Copy(io.Discard, output)
	return fmt.Errorf("log of the output: %w", err)
}

// stopWhenDone stops the group when ctx is done, politely at first. It returns false if the command has ended by itself before.
func (g group) stopWhenDone(ctx context.Context, ended <-chan struct{}, grace time.Duration) bool {
	select {
	case <-ended:
		return false
	case <-ctx.Done():
	}
	g.terminate()
	// Not only the leader: the grace is for the programs that a shell has started, too.
	if !waitUntil(func() bool { return closed(ended) && g.gone() }, grace) {
		g.kill()
	}
	return true
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// waitUntil returns true as soon as holds does, or false after the limit.
func waitUntil(holds func() bool, limit time.Duration) bool {
	if holds() {
		return true
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	for {
		select {
		case <-poll.C:
			if holds() {
				return true
			}
		case <-timeout.C:
			return false
		}
	}
}

func exitError(err error) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	return &ExitError{Code: exit.ExitCode(), Signal: signalName(exit.ProcessState)}
}
