//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package redisx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// serverField is a field of INFO of the private server behind c.
func serverField(t *testing.T, c *Conn, field string) string {
	t.Helper()
	i, err := readInfo(t.Context(), c.Client())
	if err != nil {
		t.Fatal(err)
	}
	return i[field]
}

func serverPID(t *testing.T, c *Conn) int {
	t.Helper()
	pid, err := strconv.Atoi(serverField(t, c, "process_id"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// mustBeStopped fails if a server still lives in home.
func mustBeStopped(t *testing.T, home string) {
	t.Helper()
	free, err := isFree(filepath.Join(home, "redis", "server.lock"))
	if err != nil || !free {
		t.Errorf("a server still runs in %s: %v", home, err)
	}
}

func TestPrivate_KeepsItsData(t *testing.T) {
	home := filepath.Join(tempDir(t), "state")
	c := openPrivateIn(t, home)
	want := fmt.Sprintf("private redis-server %s in %s (runs survive)", serverField(t, c, "redis_version"), home)
	if c.Note != want {
		t.Errorf("note %q, want %q", c.Note, want)
	}
	if err := c.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeStopped(t, home)

	c = openPrivateIn(t, home)
	if v, err := c.Client().Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("the next day: %q, %v", v, err)
	}
	findings, err := Check(t.Context(), c.Client())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Level != OK {
			t.Errorf("%s: %s", f.Level, f.What)
		}
	}
}

func TestPrivate_IsForItsOwnerOnly(t *testing.T) {
	home := filepath.Join(tempDir(t), "a", "state")
	c := openPrivateIn(t, home)
	for _, folder := range []string{home, filepath.Join(home, "redis")} {
		if stat, err := os.Stat(folder); err != nil || stat.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v; want mode 0700", folder, stat, err)
		}
	}
	if port := serverField(t, c, "tcp_port"); port != "0" {
		t.Errorf("it listens on TCP port %s", port)
	}
	if text, err := os.ReadFile(filepath.Join(home, ".gitignore")); string(text) != "*\n" || err != nil {
		t.Errorf(".gitignore holds %q, %v", text, err)
	}
}

func TestPrivate_DoesNotHideAnExistingFolderFromGit(t *testing.T) {
	home := tempDir(t)
	openPrivateIn(t, home)
	if _, err := os.Stat(filepath.Join(home, ".gitignore")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf(".gitignore in a folder that was there before: %v", err)
	}
}

// Ctrl-C goes to the process group of the terminal; the server must not be in it.
func TestPrivate_HasASeparateProcessGroup(t *testing.T) {
	c := openPrivateIn(t, tempDir(t))
	group, err := syscall.Getpgid(serverPID(t, c))
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("process group %d, %v; ours is %d", group, err, syscall.Getpgrp())
	}
}

func TestPrivate_IsStoppedByItsLastUser(t *testing.T) {
	home := tempDir(t)
	first, second := openPrivateIn(t, home), openPrivateIn(t, home)
	if a, b := serverPID(t, first), serverPID(t, second); a != b {
		t.Fatalf("two servers: %d and %d", a, b)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Client().Ping(t.Context()).Err(); err != nil {
		t.Errorf("stopped under its second user: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeStopped(t, home)
}

// Many commands come and go at once. A server stopped under one that has just
// joined, or two servers on the same files, would lose a visit.
func TestPrivate_IsSharedByManyProcesses(t *testing.T) {
	needServer(t)
	home := tempDir(t)
	const processes = 8
	var wait sync.WaitGroup
	for range processes {
		visitor := another(t, "visitor", home)
		wait.Go(func() {
			if out, err := visitor.CombinedOutput(); err != nil {
				t.Errorf("visitor: %v: %s", err, out)
			}
		})
	}
	for range visits { // and several in one process
		wait.Go(func() {
			if err := visit(context.Background(), home); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	mustBeStopped(t, home)
	got, err := openPrivateIn(t, home).Client().Get(t.Context(), "visits").Int()
	if want := (processes + 1) * visits; got != want || err != nil {
		t.Errorf("%d visits, %v; want %d", got, err, want)
	}
}

// openLock opens the lock that the server in home holds as long as it lives.
func openLock(t *testing.T, home string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(home, "redis", "server.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// awaitEnd waits until the server with this lock has ended.
func awaitEnd(t *testing.T, serverLock *os.File) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := syscall.Flock(int(serverLock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			// The watchdog needs the lock too, to see that the server is gone.
			if err := syscall.Flock(int(serverLock.Fd()), syscall.LOCK_UN); err != nil {
				t.Fatal(err)
			}
			return
		}
		if pause(ctx) != nil {
			t.Fatalf("the server still runs: %v", err)
		}
	}
}

func TestWatchdog_StopsTheServerOfAKilledProcess(t *testing.T) {
	needServer(t)
	for name, change := range map[string]func(home string) error{
		"":                   func(string) error { return nil },
		"its folder is gone": os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			home := tempDir(t)
			holder := startHolder(t, home)
			server := openLock(t, home)
			if err := change(home); err != nil {
				t.Fatal(err)
			}
			if err := holder.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			holder.Wait()
			awaitEnd(t, server)
		})
	}
}

// A worker process that has lost its coordinator finishes its stage, and needs its Redis for that.
func TestWatchdog_WaitsForTheChildrenOfAKilledProcess(t *testing.T) {
	needServer(t)
	home := tempDir(t)
	holder := startHolder(t, home)
	server := openLock(t, home)
	// as a child has it
	presence, err := lock(t.Context(), filepath.Join(home, "redis", "present.lock"), syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	c := openPrivateIn(t, home) // it leaves after the watchdog could have stopped the server
	if err := c.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	if err := presence.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, server)
}

// A watchdog that wakes up late may find another server than its own. It must not wait for that
// server with start.lock held: the server never gets its signal, which goes to the process number
// of the old one.
func TestWatchdog_EndsWhenItsServerIsReplaced(t *testing.T) {
	needServer(t)
	home := tempDir(t)
	c := openPrivateIn(t, home)
	late, err := lock(t.Context(), filepath.Join(home, "redis", "present.lock"), syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeStopped(t, home)

	holder := startHolder(t, home) // the next server
	server := openLock(t, home)
	if err := late.Close(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	awaitEnd(t, server)
	if err := visit(t.Context(), home); err != nil {
		t.Errorf("after both watchdogs: %v", err)
	}
}

// A command that comes at the moment at which the watchdog stops the server gets the next one.
func TestWatchdog_StopsNoServerThatIsUsedAgain(t *testing.T) {
	needServer(t)
	home := tempDir(t)
	const rounds = 10
	for range rounds {
		holder := startHolder(t, home)
		if err := holder.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		holder.Wait()
		if err := visit(t.Context(), home); err != nil {
			t.Fatal(err)
		}
	}
	c := openPrivateIn(t, home)
	if got, err := c.Client().Get(t.Context(), "visits").Int(); got != rounds || err != nil {
		t.Errorf("%d visits, %v; want %d", got, err, rounds)
	}
	server := openLock(t, home)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, server)
}

// Redis overwrites its environment with its title, but has it in its memory.
func TestPrivate_GetsNoPrivateVariables(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("GODAGS_KEY", "the key of a whole fleet")
	t.Setenv("GODAGS_SECRET_TOKEN", "a secret")
	script := "#!/bin/sh\n/usr/bin/env >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "redis-server"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Home: tempDir(t)})
	var e *UnreachableError
	if !errors.As(err, &e) || !strings.Contains(e.Log, "PATH="+bin) || strings.Contains(e.Log, "fleet") || strings.Contains(e.Log, "a secret") {
		t.Errorf("%v\nwant the environment of the server, without what is private", err)
	}
}

func TestPrivate_RefusesAFolderOfAnotherUser(t *testing.T) {
	needServer(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be two users")
	}
	for name, make := range map[string]func(home string) error{
		"folder of another": func(home string) error { return errors.Join(os.Mkdir(home, 0o700), os.Chown(home, 12345, 0)) },
		"link of another": func(home string) error {
			return errors.Join(os.Symlink(t.TempDir(), home), os.Lchown(home, 12345, 0))
		},
		"open to all": func(home string) error { return errors.Join(os.Mkdir(home, 0o700), os.Chmod(home, 0o777)) },
	} {
		home := filepath.Join(tempDir(t), "state")
		if err := make(home); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), Config{Home: home})
		var e *UnreachableError
		if !errors.As(err, &e) || !strings.Contains(e.Error(), home) || !strings.Contains(e.Fix, "GODAGS_HOME") {
			t.Errorf("%s: %v\nwant the folder's name and GODAGS_HOME", name, err)
		}
	}
}

func TestPrivate_ReplacesAKilledServer(t *testing.T) {
	home := tempDir(t)
	c := openPrivateIn(t, home)
	if err := c.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	killed := serverPID(t, c)
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Its socket and pid file are still there; the first user too.
	next := openPrivateIn(t, home)
	if pid := serverPID(t, next); pid == killed {
		t.Errorf("process %d answers after kill -9", pid)
	}
	if v, err := c.Client().Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("the first user reads %q, %v from the new server", v, err)
	}
	if err := errors.Join(c.Close(), next.Close()); err != nil {
		t.Error(err)
	}
	mustBeStopped(t, home)
}

func TestPrivate_ClosesAfterTheServerDied(t *testing.T) {
	c := openPrivateIn(t, tempDir(t))
	if err := syscall.Kill(serverPID(t, c), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestPrivate_ShowsTheLogOfAServerThatStops(t *testing.T) {
	needServer(t)
	home := tempDir(t)
	damaged := filepath.Join(home, "redis", "appendonlydir")
	if err := os.MkdirAll(damaged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "appendonly.aof.manifest"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Home: home})
	var e *UnreachableError
	if !errors.As(err, &e) || !strings.Contains(e.Reason, "stopped at once") || !strings.Contains(e.Log, "nonsense") {
		t.Errorf("%v\nwant the end of the log, which names the line", err)
	}
}

func TestPrivate_ShowsTheOutputOfAServerThatDoesNotStart(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	script := "#!/bin/sh\necho 'libjemalloc.so.2: not found' >&2\nexit 127\n"
	if err := os.WriteFile(filepath.Join(bin, "redis-server"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Home: tempDir(t)})
	var e *UnreachableError
	if !errors.As(err, &e) || !strings.Contains(e.Reason, "did not start: exit status 127") || !strings.Contains(e.Log, "libjemalloc") {
		t.Errorf("%v\nwant what the server said", err)
	}
}

func TestPrivate_PutsTheSocketElsewhereIfThePathIsLong(t *testing.T) {
	base := tempDir(t)
	t.Setenv("TMPDIR", base)
	home := filepath.Join(base, strings.Repeat("long/", 30), "state")
	first, second := openPrivateIn(t, home), openPrivateIn(t, home)
	socket := strings.TrimPrefix(first.URL, "unix://")
	if first.URL != second.URL || filepath.Dir(filepath.Dir(socket)) != base {
		t.Errorf("sockets %s and %s, want one below %s", first.URL, second.URL, base)
	}
	if stat, err := os.Stat(filepath.Dir(socket)); err != nil || stat.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v, %v; want mode 0700", stat, err)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(socket)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder is still there: %v", err)
	}
}

// Anybody can make a folder in /tmp; we must not put our socket into it.
func TestPrivate_RefusesASocketFolderOfAnotherUser(t *testing.T) {
	target := tempDir(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := makePrivate(link); err == nil {
		t.Error("a symbolic link passes for a folder of ours")
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(target, 12345, 0); err != nil {
			t.Fatal(err)
		}
		if err := makePrivate(target); err == nil {
			t.Error("the folder of another user passes for ours")
		}
	}
}

func TestPrivate_RefusesAFolderThatCannotBeWritten(t *testing.T) {
	needServer(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{file, filepath.Join(file, "state")} {
		_, err := Open(t.Context(), Config{Home: home})
		var e *UnreachableError
		if !errors.As(err, &e) || !strings.Contains(e.Error(), home) || !strings.Contains(e.Fix, "GODAGS_HOME") {
			t.Errorf("%v\nwant the folder's name and GODAGS_HOME", err)
		}
	}
}

// While one command starts or stops the server, no other may join or leave.
func TestPrivate_AdmitsOneCommandAtATime(t *testing.T) {
	home := tempDir(t)
	openPrivateIn(t, home)
	busy, err := lock(t.Context(), filepath.Join(home, "redis", "start.lock"), syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	why := errors.New("waited long enough")
	// the time passes while it waits for the lock, and at no other moment
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), joinTimeout/2, why)
		defer cancel()
		c, err := Open(ctx, Config{Home: home})
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, why) || !strings.Contains(err.Error(), "start.lock") {
			t.Errorf("error %v, want one that names start.lock", err)
		}
	})
}

func TestPrivate_UsesAValkeyServer(t *testing.T) {
	real := needServer(t)
	bin := t.TempDir()
	if err := os.Symlink(real, filepath.Join(bin, "valkey-server")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	if _, err := exec.LookPath("redis-server"); err == nil {
		t.Fatal("redis-server is still found")
	}
	c, err := Open(t.Context(), Config{Home: tempDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != Private {
		t.Errorf("opened %v, want private", c.Kind)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// What Redis gave up at its first start after a crash must not come back at its second.
func TestPrivate_RewritesATruncatedAOF(t *testing.T) {
	home := tempDir(t)
	write := func(first, second string) {
		t.Helper()
		c := openPrivateIn(t, home)
		if n, err := c.Client().Exists(t.Context(), "lost 1", "lost 2").Result(); n != 0 || err != nil {
			t.Errorf("before %s: %d keys of the lost transaction, %v", first, n, err)
		}
		_, err := c.Client().TxPipelined(t.Context(), func(p redis.Pipeliner) error {
			p.Set(t.Context(), first, "", 0)
			p.Set(t.Context(), second, "", 0)
			return nil
		})
		if err := errors.Join(err, c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	write("lost 1", "lost 2")
	cutTransaction(t, home)
	write("kept 1", "kept 2")
	write("kept 3", "kept 4")
}

// cutTransaction takes the end of its last EXEC off the AOF of the private server.
func cutTransaction(t *testing.T, home string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(home, "redis", "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v; want one", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[0], int64(len(text)-3)); err != nil {
		t.Fatal(err)
	}
}
