//go:build unix

package tasks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// leader is a command that has been started, and the end of the pipe that it writes to.
//
// It does by hand what os/exec does with goroutines and the network poller, since a command that does nothing would cost a fifth more.
type leader struct {
	group  group
	pidfd  int // readable when the leader has ended; -1 where there is no such thing
	output int
	atEnd  bool   // of the output
	buffer []byte // nil until there is output
	log    io.Writer
	logErr error
	reaped bool
	status syscall.WaitStatus
	lost   error // why there is no status
}

// start starts the program. Its output goes to log during wait and copyUntil.
func (p program) start(log io.Writer) (*leader, error) {
	path := p.argv[0]
	if !strings.Contains(path, "/") { // else it may be relative to the folder
		found, err := onPath.find(path)
		if err != nil {
			return nil, err
		}
		path = found
	}
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: open %s: %w", ErrWorker, os.DevNull, err)
	}
	defer syscall.Close(null)
	output, input, err := pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: pipe for the output: %w", ErrWorker, err)
	}
	defer syscall.Close(input)
	l := &leader{output: output, log: log}
	pid, err := syscall.ForkExec(path, p.argv, &syscall.ProcAttr{
		Dir: p.dir, Env: p.env, Files: []uintptr{uintptr(null), uintptr(input), uintptr(input)}, Sys: leaderAttr(&l.pidfd),
	})
	if err != nil {
		syscall.Close(output)
		if lacksResources(err) {
			return nil, fmt.Errorf("%w: start a process: %w", ErrWorker, err)
		}
		return nil, &os.PathError{Op: "exec", Path: path, Err: err}
	}
	l.group = group(pid)
	return l, nil
}

// lacksResources tells whether a process could not be started because the worker may have no more of something.
func lacksResources(err error) bool {
	errno, _ := errors.AsType[syscall.Errno](err)
	return slices.Contains([]syscall.Errno{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE}, errno)
}

func (l *leader) close() {
	syscall.Close(l.output)
	if l.pidfd >= 0 {
		syscall.Close(l.pidfd)
	}
}

// wait copies output until the leader has ended, and returns how it did.
func (l *leader) wait() error {
	l.copy(l.pidfd, func() bool { return l.reap(syscall.WNOHANG) })
	if !l.reaped {
		l.reap(0) // it has closed its output
	}
	return l.exitError()
}

// copyUntil copies output until there is no more, or enough holds.
func (l *leader) copyUntil(enough func() bool) { l.copy(-1, enough) }

// copy copies output until there is no more, or enough holds; it asks at least when wake is readable.
func (l *leader) copy(wake int, enough func() bool) {
	timeout := -1
	if wake < 0 {
		timeout = int(pollTime.Milliseconds())
	}
	fds := []unix.PollFd{{Fd: int32(l.output), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for !l.atEnd {
		if _, err := unix.Poll(fds, timeout); err != nil && !errors.Is(err, syscall.EINTR) {
			l.logErr, l.atEnd = errors.Join(l.logErr, fmt.Errorf("wait for output: %w", err)), true
			return
		}
		if fds[0].Revents != 0 {
			l.read(fds[0].Revents&unix.POLLIN != 0)
		}
		if !l.atEnd && enough() {
			return
		}
	}
}

// read copies what has been written, also when the log fails, since the command would wait for a reader otherwise.
func (l *leader) read(something bool) {
	if !something {
		l.atEnd = true
		return
	}
	if l.buffer == nil {
		l.buffer = make([]byte, 32<<10)
	}
	n, err := syscall.Read(l.output, l.buffer)
	switch {
	case err == syscall.EINTR || err == syscall.EAGAIN:
	case err != nil:
		l.logErr, l.atEnd = errors.Join(l.logErr, fmt.Errorf("read the output: %w", err)), true
	case n == 0:
		l.atEnd = true
	case l.logErr == nil:
		if _, err := l.log.Write(l.buffer[:n]); err != nil {
			l.logErr = fmt.Errorf("log of the output: %w", err)
		}
	}
}

func (l *leader) logError() error { return l.logErr }

// reap waits for the leader, or only looks with WNOHANG, and tells whether it has ended.
func (l *leader) reap(options int) bool {
	for !l.reaped {
		pid, err := syscall.Wait4(int(l.group), &l.status, options, nil)
		if err == syscall.EINTR {
			continue
		}
		if err == nil && pid == 0 {
			return false
		}
		l.reaped, l.lost = true, err
	}
	return true
}

func (l *leader) exitError() error {
	switch {
	case l.lost != nil:
		return fmt.Errorf("wait for the command: %w", l.lost)
	case l.status.Signaled():
		return &ExitError{Code: 128 + int(l.status.Signal()), Signal: signalName(l.status.Signal())}
	case l.status.ExitStatus() != 0:
		return &ExitError{Code: l.status.ExitStatus()}
	}
	return nil
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String() // real-time signals have no name
}
