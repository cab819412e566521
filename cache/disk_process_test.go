package cache_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/godags/godags/cache"
)

const folderVariable = "GODAGS_CACHE_FOLDER"

// child is this test binary in a role of childMain, with a cache in dir.
func child(ctx context.Context, role, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+role, folderVariable+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

func childMain(role string) (status int) {
	c := cache.Disk(os.Getenv(folderVariable))
	var err error
	switch role {
	case "share":
		err = shareKeys(c)
	case "put":
		err = putForever(c)
	case "full":
		err = putOnFullDisk(c)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// telling returns a value that says in itself how it must be: its seed, and what follows from the
// seed.
func telling(seed uint64, size int) []byte {
	b := make([]byte, size)
	if seed%2 == 0 {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		rand.NewChaCha8(key).Read(b) // never fails
	} else {
		copy(b, bytes.Repeat(fmt.Appendf(nil, "%8d ", seed), size/9+1)) // compresses
	}
	binary.LittleEndian.PutUint64(b, seed)
	return b
}

func checkTelling(value []byte) error {
	if len(value) < 8 || !bytes.Equal(value, telling(binary.LittleEndian.Uint64(value), len(value))) {
		return fmt.Errorf("a torn value of %d bytes", len(value))
	}
	return nil
}

func sharedKey(n uint64) cache.Key { return cache.Key{Run: "shared", Name: fmt.Sprint(n % 4)} }

// shareKeys puts, gets and deletes a few keys, as other processes do at the same time.
func shareKeys(c cache.Cache) error {
	ctx := context.Background()
	for n := range uint64(100) {
		seed := uint64(os.Getpid())<<16 + n
		size := []int{8, 800, 80_000, 800_000}[rand.N(4)]
		if err := c.Put(ctx, sharedKey(seed), telling(seed, size)); err != nil {
			return err
		}
		if n%16 == 15 {
			if err := c.Delete(ctx, sharedKey(rand.Uint64())); err != nil {
				return err
			}
		}
		if err := checkShared(ctx, c, sharedKey(rand.Uint64())); err != nil {
			return err
		}
	}
	return nil
}

// checkShared fails when the value under key is torn, or is missing although it was put.
func checkShared(ctx context.Context, c cache.Cache, key cache.Key) error {
	value, err := c.Get(ctx, key)
	if missing, ok := errors.AsType[*cache.NotFoundError](err); ok && missing.Damage == "" {
		return nil
	}
	if err != nil {
		return err
	}
	return checkTelling(value)
}

func TestDiskIsSharedByProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it starts many processes")
	}
	dir := t.TempDir()
	var children []*exec.Cmd
	for range 6 {
		cmd := child(t.Context(), "share", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, cmd)
	}
	for _, cmd := range children {
		if err := cmd.Wait(); err != nil {
			t.Errorf("a process failed: %v", err)
		}
	}
	for _, path := range files(t, dir) {
		if strings.Contains(path, "tmp-") {
			t.Errorf("a temporary file was left: %s", path)
		}
	}
}

// putForever says "put" after each value.
func putForever(c cache.Cache) error {
	for n := uint64(0); ; n++ {
		if err := c.Put(context.Background(), sharedKey(0), telling(n, 1<<20)); err != nil {
			return err
		}
		fmt.Println("put")
	}
}

func TestDiskSurvivesKilledWriters(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it kills many processes")
	}
	dir := t.TempDir()
	c := cache.Disk(dir)
	for puts := range 10 {
		cmd := child(t.Context(), "put", dir)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range puts + 1 {
			waitForLine(t, lines, "put")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // it was killed: its status says nothing
		value, err := c.Get(t.Context(), sharedKey(0))
		if err == nil {
			err = checkTelling(value)
		}
		if err != nil {
			t.Fatalf("after a kill within Put: %v", err)
		}
	}
	if err := c.RemoveRun(t.Context(), sharedKey(0).Run); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("RemoveRun has left %q", left)
	}
}

// putOnFullDisk limits the size of files, as a full disk does: a write gets through in part and
// then fails.
func putOnFullDisk(c cache.Cache) error {
	if err := c.Put(context.Background(), key, []byte("old")); err != nil {
		return err
	}
	const most = 100_000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		return err
	}
	err := c.Put(context.Background(), key, noise(2*most))
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), os.Getenv(folderVariable)) {
		return fmt.Errorf("got error %v, want EFBIG and the path", err)
	}
	return nil
}

func TestDiskFullDiskLeavesTheOldValue(t *testing.T) {
	dir := t.TempDir()
	if err := child(t.Context(), "full", dir).Run(); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("the failed Put has left %q", left)
	}
	if got, err := cache.Disk(dir).Get(t.Context(), key); err != nil || string(got) != "old" {
		t.Errorf("after the failed Put: got %d bytes, %v, want the old value", len(got), err)
	}
}
