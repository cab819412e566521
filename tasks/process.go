package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// lingerTime is how long what a command has left running may take to end by itself: bash, for
	// instance, does not wait for >(gzip > file).
	lingerTime = time.Second
	// lingerGrace is how long it may go on after SIGTERM.
	lingerGrace = time.Second
	// drainTime is how long output is still read after a command and its session have ended: only a
	// process that made a session of its own can write then. It is also how long is waited for the
	// end of what was killed.
	drainTime = time.Second

	// Something that is to end is looked at after pollTime, and then less and less often.
	pollTime    = 2 * time.Millisecond
	maxPollTime = 100 * time.Millisecond

	forever = time.Duration(math.MaxInt64)

	// startAttempts is how often a command is started that a signal kills before it is executed.
	startAttempts = 5
)

// program is a command to execute.
type program struct {
	argv  []string
	dir   string // empty for that of this process
	env   []string
	user  *User         // nil for that of this process
	grace time.Duration // from SIGTERM to SIGKILL

	revoked <-chan struct{} // closed when there is no grace any more
}

// errNotExecuted is the outcome of a process that was killed before it became the command. Until it
// has a session of its own, Ctrl-C on the terminal of the worker reaches it, too: the Go runtime
// unblocks signals in the child before it calls setsid.
var errNotExecuted = errors.New("killed before it was executed")

// execute returns when the command and its session are gone and their output is in log.
func (p program) execute(ctx context.Context, w *workspace, log io.Writer) error {
	// Linux kills the leader when the thread that started it ends, so the thread must stay until
	// then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	for range startAttempts {
		err := p.attempt(ctx, w, log)
		if !errors.Is(err, errNotExecuted) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}

	return fmt.Errorf("%w: %q was started %d times: %w", ErrWorker, p.argv[0], startAttempts, errNotExecuted)
}

func (p program) attempt(ctx context.Context, w *workspace, log io.Writer) error {
	c, err := p.start(log)
	if err != nil {
		return p.startError(err)
	}
	defer c.close()

	line := w.watch(c.session, log)
	defer w.unwatch(line, log)

	s := &stopper{session: c.session, revoked: p.revoked, ended: make(chan struct{}), stopped: make(chan struct{})}
	release := context.AfterFunc(ctx, func() { s.stop(p.grace) })
	exit := c.wait()
	close(s.ended)
	var cut error
	if !c.finished() {
		cut = c.waitForSession(s, w)
	}

	interrupted := !release()
	if interrupted {
		<-s.stopped
	}

	if exit == nil && interrupted {
		exit = context.Cause(ctx)
	}

	if exit == nil {
		exit = cut
	}
	return errors.Join(exit, c.logError())
}

// waitForSession copies output until what the leader has left running is gone, which it stops if
// that takes long. The error is not nil if the output of the stage was cut off thereby.
func (c *child) waitForSession(s *stopper, w *workspace) (cut error) {
	gone := c.copyUntil(func() bool { return s.begun.Load() || c.session.gone() }, lingerTime)
	if !gone && s.begin() {
		if names := c.session.writersOf(w.output()); len(names) > 0 {
			cut = fmt.Errorf("GODAGS_OUTPUT: %s still wrote it %v after the command had ended: let the command wait for that",
				strings.Join(names, ", "), lingerTime)
		}
		fmt.Fprintf(c.log, "godags: the command has ended; what it left running is stopped: %s\n", strings.Join(c.session.names(), ", "))
		go s.end(lingerGrace)
	}

	if s.begun.Load() {
		c.copyUntil(func() bool { return closed(s.stopped) }, forever)
		c.copyUntil(c.session.gone, drainTime)
	}

	c.copyUntil(c.outputEnded, drainTime)
	return cut
}

// stopper ends a session whose time is over.
type stopper struct {
	session session
	revoked <-chan struct{}
	ended   chan struct{} // closed when the leader was waited for

	begun   atomic.Bool
	stopped chan struct{} // closed when the session is gone, or was killed
}

// begin is true once, for whoever is to call end.
func (s *stopper) begin() bool { return s.begun.CompareAndSwap(false, true) }

func (s *stopper) stop(grace time.Duration) {
	if s.begin() {
		s.end(grace)
	}
}

// end ends the session, politely at first unless nobody waits for that.
func (s *stopper) end(grace time.Duration) {
	defer close(s.stopped)
	if !closed(s.revoked) {
		s.session.terminate()
	}

	gone := false
	waitUntil(func() bool {
		// not only the leader: the grace is for the programs that a shell has started, too
		gone = closed(s.ended) && s.session.gone()
		return gone || closed(s.revoked)
	}, grace)

	if !gone {
		s.session.kill()
	}
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
	for pause := pollTime; ; pause = min(maxPollTime, pause*3/2) {
		select {
		case <-time.After(pause):
			if holds() {
				return true
			}
		case <-timeout.C:
			return false
		}
	}
}
