//go:build unix

package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/godags/godags/internal/fault"
)

// otherUser returns the user that commands run as in these tests.
func otherUser(t *testing.T) *User {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run commands as another user")
	}
	u, err := LookupUser("daemon")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUser_HasCommandAndFolder(t *testing.T) {
	u := otherUser(t)
	a := shell(`set -e
		id -u
		echo "$HOME $USER $LOGNAME"
		cat "$GODAGS_INPUTS/load"
		echo more >>"$GODAGS_INPUTS/load"
		touch "$(dirname "$GODAGS_OUTPUT")/beside"
		echo by device >/dev/stderr
		echo result >"$GODAGS_OUTPUT"`)
	a.User = u
	a.inputs = map[string]string{"load": "input\n"}
	got, want := a.must(t), fmt.Sprintf("%d\n%s daemon daemon\ninput\nby device\n", u.uid, u.Home)
	if got != want || string(a.output) != "result\n" {
		t.Errorf("got %q and output %q, want %q", got, a.output, want)
	}
}

// A long run is a file, which the user must be able to read as well.
func TestUser_ReadsLongScript(t *testing.T) {
	a := argv("sh", "-c")
	a.script = "id -un\n" + strings.Repeat("# comment\n", 20_000)
	a.User = otherUser(t)
	if got := a.must(t); got != "daemon\n" {
		t.Errorf("got %q", got)
	}
}

func TestUser_CannotReadWhatIsTheWorkers(t *testing.T) {
	u := otherUser(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("the key"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODAGS_SECRET_OTHER", "of another stage")
	const look = `for file in %s /proc/$PPID/environ /proc/$PPID/mem /proc/$PPID/fd/0 /proc/*/environ; do
			if grep -q -a -e "of another stage" -e "the key" "$file" 2>/dev/null; then echo "reads $file"; fi
		done
		head -c 1 /proc/$PPID/environ >/dev/null 2>&1 && echo "reads the environment of the worker"
		ls "$(dirname "$(dirname "$GODAGS_OUTPUT")")" 2>/dev/null
		echo looked`
	a := shell(fmt.Sprintf(look, key))
	a.User = u
	if got := a.must(t); got != "looked\n" {
		t.Errorf("got %q", got)
	}
}

func TestUser_IsRefusedOutputOfAnother(t *testing.T) {
	u := otherUser(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "output"), []byte("of root"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if value, err := appendOutput(nil, root, "output", u); err == nil || !strings.Contains(err.Error(), "does not belong to user daemon") {
		t.Errorf("got %q, %v", value, err)
	}
	if _, err := appendOutput(nil, root, "output", nil); err != nil {
		t.Error(err)
	}
}

func TestUser_IsNamedWithFolderItMayNotEnter(t *testing.T) {
	u := otherUser(t)
	closed := filepath.Join(t.TempDir(), "closed")
	program := filepath.Join(closed, "program")
	err := errors.Join(os.Mkdir(closed, 0o700), os.Mkdir(filepath.Join(closed, "in"), 0o755), os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	in := shell("true")
	in.Dir = filepath.Join(closed, "in")
	for _, a := range []*attempt{in, argv(program)} {
		a.User = u
		// The folders of a test are closed for others as a whole.
		if err := a.do(t); !errors.Is(err, fault.ErrNoRetry) || !strings.Contains(err.Error(), "user daemon, as whom commands run, may not enter") {
			t.Errorf("got %v", err)
		}
	}
}

func TestUser_SessionIsKilled(t *testing.T) {
	a := shell(`trap "" TERM; sleep 1000 & echo $!; echo $$; echo ready; wait; sleep 1000`)
	a.User = otherUser(t)
	err := a.interrupt(t, pollTime, "ready")
	if err == nil {
		t.Fatal("no error")
	}
	for _, pid := range pids(t, string(a.log.Bytes()), 2) {
		eventually(t, "the process is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	}
}

func TestLookupUser_SaysWhatIsWrong(t *testing.T) {
	if os.Geteuid() != 0 {
		if _, err := LookupUser("daemon"); err == nil || !strings.Contains(err.Error(), "only root can") {
			t.Errorf("got %v", err)
		}
		return
	}
	for text, want := range map[string]string{"": `no user ""`, "no-such-user": `no user "no-such-user"`, "daemon:no-such": `no group "no-such"`, "root": "user root is root"} {
		if _, err := LookupUser(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if u, err := LookupUser("daemon:tty"); err != nil || u.gid == otherUser(t).gid {
		t.Errorf("got %+v, %v", u, err)
	}
}
