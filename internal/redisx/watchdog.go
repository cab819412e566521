//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package redisx

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// watchdogScript stops a server whose users were all killed. It does what the last user does, by
// the same locks. It has the files open, so that it works even if the folder was removed.
//
//	3  present.lock  can be taken when no user is left
//	4  start.lock    held until the server is gone, so that no process joins a dying one
//	5  server.lock   free as soon as this server is gone; the next server has another file
//
// The script waits in the kernel and wakes up once. A server that ignores SIGTERM is killed after
// 10 s: its AOF has everything.
//
// A watchdog may wake up after the last user has stopped its server and others use the next one.
// Then it waits until those are gone, finds its own server.lock free, signals no process and exits.
const watchdogScript = `
while flock 3 && flock -u 3 && flock 4; do
	if flock -n 3; then
		waited=0
		flock -n 5 || kill -s TERM "$1"
		until flock -n 5; do
			[ $((waited += 1)) -lt 100 ] || kill -s KILL "$1"
			sleep 0.1
		done
		[ -z "$2" ] || rmdir -- "$2"
		exit
	fi
	flock -u 4
done`

// startWatchdog starts the watchdog of the running server. It needs sh and flock, which only Linux
// has everywhere. Without a watchdog, a server whose users were all killed runs until the next
// command that uses its folder stops it.
func (p *private) startWatchdog() error {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return nil
	}
	if _, err := exec.LookPath("flock"); err != nil {
		return nil
	}

	pid, err := os.ReadFile(p.path("redis.pid"))
	if err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}

	outside := filepath.Dir(p.socket)
	if outside == p.folder {
		outside = ""
	}

	// The shell that is waited for is not the one that stays. A child that ends before this process
	// would remain as a zombie.
	cmd := exec.Command(sh, "-c", "("+watchdogScript+"\n) &", "godags-redis-watchdog", strings.TrimSpace(string(pid)), outside)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}

	// Ctrl-C goes to the group of this process, and must not end the watchdog.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}

	// Opened anew: a lock belongs to an open file, and those of this process are locked already.
	for _, name := range []string{"present.lock", "start.lock", "server.lock"} {
		f, err := os.OpenFile(p.path(name), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("watchdog: %w", err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}

	if err := cmd.Run(); err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}

	return nil
}
