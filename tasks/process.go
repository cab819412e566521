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
	// Something that is to end is looked at after pollTime, and then less and less often.
	pollTime    = 5 * time.Millisecond
	maxPollTime = 100 * time.Millisecond
)

// program is a command to execute.
type program struct {
	argv  []string
	dir   string // empty for that of this process
	env   []string
	grace time.Duration // from SIGTERM to SIGKILL

	revoked <-chan struct{} // closed when there is no grace any more
}

// execute returns when the command and its process group are gone and their output is in log.
func (p program) execute(ctx context.Context, d *desk, log io.Writer) error {
	// Linux kills the leader when the thread that started it ends, so the thread must stay until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := p.start(log)
	if err != nil {
		return p.startError(err)
	}
	defer l.close()
	d.watch(l.group, log)
	defer d.watch(0, log)

	s := &stopper{group: l.group, grace: p.grace, revoked: p.revoked, ended: make(chan struct{}), stopped: make(chan struct{})}
	release := context.AfterFunc(ctx, s.stop)
	waitErr := l.wait()
	close(s.ended)
	interrupted := !release()
	if interrupted {
		l.copyUntil(func() bool { return closed(s.stopped) })
		<-s.stopped
	}
	l.group.kill()
	waitUntil(l.group.reaped, drainTime)
	deadline := time.Now().Add(drainTime)
	l.copyUntil(func() bool { return time.Now().After(deadline) })

	if waitErr == nil && interrupted {
		waitErr = context.Cause(ctx)
	}
	return errors.Join(waitErr, l.logError())
}

func (p program) startError(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("program %q is not in the worker's PATH (%s): install it there or give its full path: %w", p.argv[0], os.Getenv("PATH"), err)
	}
	if info, dirErr := os.Stat(p.dir); p.dir != "" && (dirErr != nil || !info.IsDir()) {
		return fmt.Errorf("cannot start %q in %q, which is not a folder on this worker: %w", p.argv[0], p.dir, err)
	}
	if errors.Is(err, ErrWorker) {
		return err
	}
	return fmt.Errorf("cannot start %q: %w", p.argv[0], err)
}

// stopper ends a group whose time is over.
type stopper struct {
	group   group
	grace   time.Duration
	revoked <-chan struct{}
	ended   chan struct{} // closed when the leader was waited for
	stopped chan struct{} // closed when the group is gone, or was killed
}

// stop ends the group, politely at first unless nobody waits for that.
func (s *stopper) stop() {
	defer close(s.stopped)
	if !closed(s.revoked) {
		s.group.terminate()
	}
	gone := false
	waitUntil(func() bool {
		gone = closed(s.ended) && s.group.gone() // not only the leader: the grace is for the programs that a shell has started, too
		return gone || closed(s.revoked)
	}, s.grace)
	if !gone {
		s.group.kill()
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
