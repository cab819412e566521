//go:build unix

package command

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// watchdogScript waits until its standard input ends, which happens when the worker ends. Then it
// kills the sessions whose numbers are the lines of descriptor 3, and removes the folder.
//
// Where there is a /proc, the script finds there what has left the group of its session. It
// searches until it finds nothing, since a process may fork meanwhile. The rounds are limited,
// since some processes cannot be killed. Only the last line of stat is read: the name before it may
// contain line ends.
const watchdogScript = `trap '' HUP INT TERM
read -r end
sessions=' '
while read -r session <&3; do
	[ -n "$session" ] || continue
	sessions="$sessions$session "
	kill -s KILL -- "-$session"
done
for round in 1 2 3 4 5 6 7 8 9; do
	[ "$sessions" != ' ' ] || break
	found=
	for process in /proc/[0-9]*; do
		stat=
		while read -r line; do stat=$line; done <"$process/stat"
		set -- "$1" ${stat##*) }
		case $sessions in *" $5 "*) case $2 in [ZX]) ;; *) found=1; kill -s KILL "${process#/proc/}" ;; esac ;; esac
	done 2>/dev/null
	[ -n "$found" ] || break
done
mounted=--one-file-system
rm -f $mounted 2>/dev/null || mounted=
rm -rf $mounted -- "$1"`

// watchdog is a process that outlives this one for a moment. A death signal cannot replace it: it
// reaches the leader of a session only, and not the processes that the leader started.
type watchdog struct {
	pid      int
	alive    int      // the writing end of a pipe without data: it ends when this process does
	sessions *os.File // a line of watchLine bytes for each running command; the file has no name

	mu    sync.Mutex
	lines int   // of the file
	free  []int // lines that are blank
}

const watchLine = 12

// startWatchdog starts the watchdog of a folder. It returns nil if there is no sh.
func startWatchdog(dir string, root *os.Root) (*watchdog, error) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		return nil, nil
	}

	const name = "sessions"
	sessions, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}

	stdin, alive, err := pipe()
	if err != nil {
		return nil, errors.Join(err, sessions.Close())
	}
	defer syscall.Close(stdin)

	// A new session, so that Ctrl-C and the end of the terminal do not reach the watchdog.
	pid, err := syscall.ForkExec(sh, []string{"sh", "-c", watchdogScript, "godags-watchdog", dir}, &syscall.ProcAttr{
		Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH")}, Sys: &syscall.SysProcAttr{Setsid: true},
		Files: []uintptr{uintptr(stdin), uintptr(stdin), uintptr(stdin), sessions.Fd()},
	})

	// Without a name, no command can find the file and write the numbers of other sessions to it.
	if err == nil {
		err = root.Remove(name)
	}
	if err != nil {
		syscall.Close(alive)
		return nil, errors.Join(err, sessions.Close())
	}

	return &watchdog{pid: pid, alive: alive, sessions: sessions}, nil
}

// watch makes the watchdog kill the session if this process ends, and returns the line for unwatch.
//
// It writes to a file, and not to the pipe: the watchdog must not wake up for each command.
func (w *watchdog) watch(s session) (line int, err error) {
	w.mu.Lock()
	if last := len(w.free) - 1; last >= 0 {
		line = w.free[last]
		w.free = w.free[:last]
	} else {
		line = w.lines
		w.lines++
	}

	w.mu.Unlock()
	return line, w.write(line, strconv.AppendInt(make([]byte, 0, watchLine), int64(s), 10))
}

func (w *watchdog) unwatch(line int) error {
	err := w.write(line, make([]byte, 0, watchLine))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = append(w.free, line)
	return err
}

func (w *watchdog) write(line int, text []byte) error {
	text = append(text, "           "[len(text):]...)
	_, err := w.sessions.WriteAt(append(text, '\n'), int64(line)*watchLine)
	return err
}

// dead reports whether the watchdog was killed.
func (w *watchdog) dead() bool {
	pid, err := syscall.Wait4(w.pid, nil, syscall.WNOHANG, nil)
	return pid == w.pid || errors.Is(err, syscall.ECHILD)
}

// stop ends the watchdog without its work.
func (w *watchdog) stop() {
	// SIGKILL before the pipe is closed, or it would remove the folder.
	_ = syscall.Kill(w.pid, syscall.SIGKILL)
	for err := error(syscall.EINTR); err == syscall.EINTR; {
		_, err = syscall.Wait4(w.pid, nil, 0, nil)
	}
	syscall.Close(w.alive)
	w.sessions.Close()
}
