//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package redisx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/process"
)

// private is one user's share in the redis-server of a state folder.
//
// Four lock files in its folder keep order. The kernel drops the locks of a
// process that is killed, so none of them can be orphaned.
//
//	start.lock    exclusive while a process joins or leaves
//	users.lock    shared while in use; who can have it exclusively is the last
//	present.lock  shared from joining until after leaving, also by the worker
//	              processes of a user: the watchdog waits for it
//	server.lock   exclusive as long as a server lives: it inherits the open file.
//	              Each server has a new file of this name, so that a watchdog
//	              knows its own server from the next one
type private struct {
	binary  string
	folder  string // Home/redis, absolute
	socket  string
	users   *os.File
	present *os.File
	started bool // the server is ours
}

const (
	joinTimeout = time.Minute      // for others to finish joining or leaving
	stopTimeout = 10 * time.Second // for the server to write its last data and go
)

var (
	errBusy    = fmt.Errorf("another command that uses it has been starting or stopping for %v", joinTimeout)
	errSilent  = fmt.Errorf("did not answer within %v", loadTimeout)
	errStopped = errors.New("stopped at once")
)

func openPrivate(ctx context.Context, home, binary string) (*Conn, error) {
	p := &private{binary: binary}
	if err := p.join(ctx, home); err != nil {
		return nil, err
	}

	// If the server does not answer, connect calls leave itself.
	o := tune(&redis.Options{Network: "unix", Addr: p.socket})
	c, info, err := connect(ctx, target{Options: o}, p.leave)
	if err != nil {
		return nil, err
	}
	if err := p.repairAOF(ctx, c.Client()); err != nil {
		return nil, errors.Join(p.serverError(err), c.Close())
	}

	c.Kind = Private
	c.URL = socketURL(p.socket)
	c.Presence = p.present
	server := strings.Replace(strings.ToLower(info.name()), " ", "-server ", 1)
	c.Note = fmt.Sprintf("private %s in %s (runs survive)", server, home)
	return c, nil
}

// join makes this process a user of the server, and starts the server if it does not run.
func (p *private) join(ctx context.Context, home string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout, errBusy)
	defer cancel()

	err := p.prepare(home)
	if err != nil {
		return folderError(home, err)
	}

	// All that follows happens while no other process joins or leaves. Otherwise two could start a
	// server each, or one could stop the server under a process that has just found it.
	start, err := lock(ctx, p.path("start.lock"), syscall.LOCK_EX)
	if err != nil {
		return folderError(home, err)
	}
	defer start.Close()

	if p.present, err = lock(ctx, p.path("present.lock"), syscall.LOCK_SH); err != nil {
		return folderError(home, err)
	}
	if p.users, err = lock(ctx, p.path("users.lock"), syscall.LOCK_SH); err != nil {
		return errors.Join(folderError(home, err), p.present.Close())
	}
	if err := p.ensureServer(ctx); err != nil {
		return errors.Join(p.serverError(err), p.stopIfLast())
	}

	return nil
}

// leave ends the use of the server by this process. The last user stops the server.
func (p *private) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), joinTimeout)
	defer cancel()
	start, err := lock(ctx, p.path("start.lock"), syscall.LOCK_EX)
	if err != nil {
		// The locks go all the same. The watchdog then stops the server.
		return errors.Join(fmt.Errorf("leave the private Redis: %w", err), p.users.Close(), p.present.Close())
	}
	defer start.Close()
	return p.stopIfLast()
}

// stopIfLast stops the server if no other process uses it. It must be called with start.lock held.
func (p *private) stopIfLast() error {
	// Closed last: otherwise the watchdog would stop the server at the same time.
	defer p.present.Close()
	if err := p.users.Close(); err != nil {
		return err
	}

	last, err := isFree(p.path("users.lock"))
	if err != nil || !last {
		return err
	}

	return p.stopServer()
}

// ensureServer starts a server if there is none, and returns when the server answers. It must be
// called with start.lock held.
func (p *private) ensureServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, loadTimeout, errSilent)
	defer cancel()

	for {
		// The server holds this lock while it lives, and the kernel frees it however the server
		// dies. A pid file or a socket can be orphaned.
		free, err := lockNow(p.path("server.lock"), syscall.LOCK_EX)
		switch {
		case err != nil:
		case free == nil: // a server lives, and may still load its data
			if p.ask("PING") == "+PONG" {
				return p.watch()
			}
		case p.started:
			err = errors.Join(errStopped, free.Close())
		default:
			err = errors.Join(p.startServer(ctx), free.Close())
			p.started = true
		}
		if err != nil {
			return err
		}

		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// watch starts a watchdog for a server that this process has started.
func (p *private) watch() error {
	if !p.started {
		return nil
	}
	return p.startWatchdog()
}

// startServer starts a redis-server which holds a new server.lock while it lives.
// It must be called with start.lock held, and while no server lives.
func (p *private) startServer(ctx context.Context) error {
	// The last log is kept: it tells why the last server died. The last lock is not: the watchdog
	// of that server may wake up late. It must find its lock free, and not taken by this server.
	for _, err := range []error{
		os.Remove(p.socket),
		os.Remove(p.path("server.lock")),
		os.Rename(p.path("redis.log"), p.path("redis.log.old")),
	} {
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}

	serverLock, err := lockNow(p.path("server.lock"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	if serverLock == nil {
		return errors.New("another process took server.lock without start.lock")
	}
	defer serverLock.Close()

	log, err := os.OpenFile(p.path("redis.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.CommandContext(ctx, p.binary,
		"--port", "0", "--unixsocket", p.socket, "--unixsocketperm", "700",
		"--dir", p.folder, "--pidfile", p.path("redis.pid"),
		"--logfile", p.path("redis.log"), "--loglevel", "warning",
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		"--maxmemory-policy", "noeviction",
		// a separate session: Ctrl-C must not end it, and it outlives this process if others use it
		"--daemonize", "yes")

	// Without private variables: the server outlives this process, and has its environment in
	// memory.
	cmd.Env = process.Public(os.Environ())
	cmd.Stdout = log
	cmd.Stderr = log
	cmd.ExtraFiles = []*os.File{serverLock}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("did not start: %w", err)
	}

	return nil
}

// stopServer stops the server and returns when it is gone.
func (p *private) stopServer() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()

	// Redis writes its last data before it exits. The next server must not read the files before
	// that, so start.lock stays held until the lock of this server is free.
	reply := p.ask("SHUTDOWN") // answered only if refused
	for {
		gone, err := isFree(p.path("server.lock"))
		if err != nil || gone {
			p.removeSocket()
			return err
		}
		if pause(ctx) != nil {
			return fmt.Errorf("the private redis-server in %s did not stop (%q); its process number is in redis.pid there", p.folder, reply)
		}
	}
}

func (p *private) path(name string) string { return filepath.Join(p.folder, name) }

// folderError is the error for a state folder that cannot be used.
func folderError(home string, err error) error {
	return &UnreachableError{
		Reason: fmt.Sprintf("the state folder %s: %v", home, err),
		Fix:    "set GODAGS_HOME to a folder of yours on a local disk, or give a Redis with --redis or REDIS_URL",
		Err:    err,
	}
}

// serverError is the error for a server that cannot be used.
func (p *private) serverError(err error) error {
	return &UnreachableError{
		URL:    socketURL(p.socket),
		Reason: "private redis-server: " + err.Error(),
		Fix:    "see its log, or set GODAGS_HOME to another folder",
		Log:    p.logTail(),
		Err:    err,
	}
}

var serverVersion = regexp.MustCompile(`\bv=(\S+)`)

// findServer returns the path of a redis-server or valkey-server that is new enough. Without one,
// it returns "" and the reason.
func findServer(ctx context.Context) (binary, lack string) {
	lack = "no redis-server on PATH"
	for _, name := range []string{"redis-server", "valkey-server"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}

		// A server that does not tell its version is tried all the same: its own error says more
		// than this program could.
		out, _ := exec.CommandContext(ctx, path, "--version").Output()
		version := serverVersion.FindSubmatch(out)
		if version == nil || !olderThan62(string(version[1])) {
			return path, ""
		}

		lack = fmt.Sprintf("%s %s on PATH is older than 6.2", name, version[1])
	}

	return "", lack
}
