// Package command executes the programs of stages. It gives each attempt a private folder, starts
// the program as the leader of a new session, captures its output, and stops all that it started.
//
// [NewWorkspace] makes the folder of an attempt, [Program.Run] executes the program, and
// [Workspace.Remove] removes the folder. A watchdog does both when the worker is killed.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/godags/godags/internal/fault"
)

const (
	// lingerTime is how long the processes that a command leaves running may take to end by
	// themselves. For instance, bash does not wait for >(gzip > file).
	lingerTime = time.Second
	// lingerGrace is the time between SIGTERM and SIGKILL for those processes.
	lingerGrace = time.Second
	// drainTime is how long output is read after the session has ended. Only a process that made a
	// new session can write then. It also limits the wait for processes that were killed.
	drainTime = time.Second

	// A condition is checked after pollTime, and then less and less often.
	pollTime    = 2 * time.Millisecond
	maxPollTime = 100 * time.Millisecond

	forever = time.Duration(math.MaxInt64)

	// maxStarts is how often a command is started that a signal kills before it executes.
	maxStarts = 5
)

// Program is a program to execute.
type Program struct {
	Argv  []string
	Dir   string // the folder to start in; "" is that of this process
	Env   []string
	User  *User         // nil is the user of this process
	Grace time.Duration // from SIGTERM to SIGKILL

	// Revoked is closed when the outcome no longer matters: the grace ends at once. Nil is never.
	Revoked <-chan struct{}
}

// ExitError is a command that did not exit with status 0.
type ExitError struct {
	// Code is the exit status. If a signal ended the command, it is 128 plus the number of the
	// signal, as in shells.
	Code   int
	Signal string // the name of that signal, such as "SIGKILL", or ""
}

// Error returns "exit status 3" or "killed by SIGKILL".
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "killed by " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// errNotExecuted is the outcome of a process that a signal killed between fork and exec.
var errNotExecuted = errors.New("killed before it was executed")

// Run executes the program and writes its output to log. It returns when the program and its
// session are gone.
//
// A program that fails is an [*ExitError]. One that cannot be started is [fault.ErrNoRetry]. If the
// worker cannot start any process, the error is [fault.ErrWorker].
func (p Program) Run(ctx context.Context, w *Workspace, log io.Writer) error {
	err := checkSizes(p.Argv, p.Env)
	if err == nil {
		err = checkNUL(p.Env)
	}
	if err == nil {
		err = w.chown(p.User)
	}
	if err != nil {
		return err
	}

	// Linux sends the death signal when the thread that forked ends, not when the process ends. So
	// the thread must stay until the command has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	// Until the child has a session, Ctrl-C on the terminal of the worker reaches it too, because
	// the Go runtime unblocks signals in the child before it calls setsid. Such a child never
	// executed the program, so starting it again is safe.
	for range maxStarts {
		err = p.runOnce(ctx, w, log)
		if !errors.Is(err, errNotExecuted) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}

	return fmt.Errorf("%w: %q was started %d times: %w", fault.ErrWorker, p.Argv[0], maxStarts, errNotExecuted)
}

// runOnce starts the program once and waits for its session.
func (p Program) runOnce(ctx context.Context, w *Workspace, log io.Writer) error {
	c, err := p.start(log)
	if err != nil {
		return p.startError(err)
	}
	defer c.close()

	line := w.watch(c.session, log)
	defer w.unwatch(line, log)

	s := newStopper(c.session, p.Revoked)
	cancelStop := context.AfterFunc(ctx, func() { s.stop(p.Grace) })
	exit := c.wait()
	close(s.leaderEnded)

	var truncated error
	if !c.finished() {
		truncated = c.waitForSession(s, w)
	}

	// AfterFunc may have started the stopper. The workspace must not be removed while the stopper
	// still gives processes their grace.
	interrupted := !cancelStop()
	if interrupted {
		<-s.done
	}

	// A command that exits with 0 on SIGTERM has not done its work.
	if exit == nil && interrupted {
		exit = context.Cause(ctx)
	}

	if exit == nil {
		exit = truncated
	}
	return errors.Join(exit, c.logError())
}

// waitForSession copies output until the processes that the leader left running are gone. It stops
// them if that takes long, and returns an error if that truncated the output of the stage.
func (c *process) waitForSession(s *stopper, w *Workspace) (truncated error) {
	gone := c.copyUntil(func() bool { return s.started.Load() || c.session.gone() }, lingerTime)

	// Two callers may want to stop the session: this one and the cancelled context. The first one
	// does it.
	if !gone && s.claim() {
		// This must be found out before the signals: afterwards the writers are gone, and the file
		// looks complete.
		if names := c.session.writersOf(w.output()); len(names) > 0 {
			truncated = fmt.Errorf("GODAGS_OUTPUT: %s still wrote it %v after the command had ended: "+
				"let the command wait for that",
				strings.Join(names, ", "), lingerTime)
		}
		fmt.Fprintf(c.log, "godags: the command has ended; the processes that it left running are stopped: %s\n",
			strings.Join(c.session.names(), ", "))
		go s.terminateThenKill(lingerGrace)
	}

	// The pipe must be read meanwhile: a process that cannot write its last words cannot end.
	if s.started.Load() {
		c.copyUntil(func() bool { return closed(s.done) }, forever)
		c.copyUntil(c.session.gone, drainTime)
	}

	c.copyUntil(c.outputEnded, drainTime)
	return truncated
}

// quoteForShell quotes text so that a shell reads it as one word.
func quoteForShell(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
