package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/godags/godags/cache"
)

// files returns the files below dir.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// putOne puts a value into an empty disk cache and returns its only file.
func putOne(t *testing.T, key cache.Key, value []byte) (c *cache.DiskCache, path string) {
	t.Helper()
	dir := t.TempDir()
	c = cache.Disk(dir)
	put(t, c, key, value)
	found := files(t, dir)
	if len(found) != 1 {
		t.Fatalf("got files %q, want one", found)
	}
	return c, found[0]
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDiskFileCanBeReadByPeople(t *testing.T) {
	_, path := putOne(t, key, []byte("json\n{\"rows\":178}"))
	content := string(read(t, path))
	if !strings.HasPrefix(content, `"wine-1" "features"`+"\n") || !strings.HasSuffix(content, " raw 17\njson\n{\"rows\":178}") {
		t.Errorf("the file is\n%s", content)
	}
	if folder := filepath.Base(filepath.Dir(path)); !strings.HasPrefix(folder, "wine-1-") {
		t.Errorf("the run's folder is %s", folder)
	}
}

func TestDiskCompresses(t *testing.T) {
	_, path := putOne(t, key, text(1<<20))
	if size := len(read(t, path)); size > 100<<10 {
		t.Errorf("1 MiB of text takes %d bytes on disk", size)
	}
	_, path = putOne(t, key, noise(1<<20))
	if size := len(read(t, path)); size > 1<<20+200 {
		t.Errorf("1 MiB of noise takes %d bytes on disk", size)
	}
}

func TestDiskIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	put(t, cache.Disk(dir), key, []byte("x"))
	path := files(t, dir)[0]
	for path, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, dir: 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", path, got, want)
		}
	}
}

func TestDiskTruncatedFileIsMissing(t *testing.T) {
	for name, value := range map[string][]byte{"raw": []byte("json\n{\"rows\":178}"), "compressed": text(100 << 10)} {
		c, path := putOne(t, key, value)
		whole := read(t, path)
		for length := range whole {
			write(t, path, whole[:length])
			wantDamaged(t, c, key, fmt.Sprintf("%s cut to %d bytes", name, length))
		}
		write(t, path, append(whole, 0))
		wantDamaged(t, c, key, name+" with a byte more")
	}
}

func TestDiskFlippedByteIsMissing(t *testing.T) {
	for name, value := range map[string][]byte{"raw": []byte("json\n{\"rows\":178}"), "compressed": text(100 << 10)} {
		c, path := putOne(t, key, value)
		whole := read(t, path)
		for at := range whole {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 0x20 // turns digits, letters, spaces and line breaks into others
			write(t, path, damaged)
			wantDamaged(t, c, key, fmt.Sprintf("%s with a change at byte %d", name, at))
		}
	}
}

func TestDiskSwappedFilesAreMissing(t *testing.T) {
	c, path := putOne(t, key, []byte("one"))
	other := cache.Key{Run: "wine-2", Name: "features"}
	_, theirPath := putOne(t, other, []byte("two"))
	theirs := read(t, theirPath)
	write(t, path, theirs)
	wantDamaged(t, c, key, "the file of another run")

	// The key is in the checksum too: an honest first line does not help.
	_, entry, _ := bytes.Cut(theirs, []byte("\n"))
	write(t, path, append([]byte(`"wine-1" "features"`+"\n"), entry...))
	wantDamaged(t, c, key, "the entry of another run")

	put(t, c, key, []byte("again"))
	if got, err := c.Get(t.Context(), key); err != nil || string(got) != "again" {
		t.Errorf("after a new Put: got %q, %v", got, err)
	}
}

func TestDiskLeftoverTempFilesAreNotRead(t *testing.T) {
	c, path := putOne(t, key, []byte("sound"))
	leftover := filepath.Join(filepath.Dir(path), "tmp-123")
	write(t, leftover, read(t, path)[:20])
	if got, err := c.Get(t.Context(), key); err != nil || string(got) != "sound" {
		t.Errorf("Get beside a leftover: got %q, %v", got, err)
	}
	for _, name := range []string{"tmp-123", "../tmp-123"} {
		if _, err := c.Get(t.Context(), cache.Key{Run: key.Run, Name: name}); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("Get of a value named %q: got error %v, want ErrNotFound", name, err)
		}
	}
	if err := c.RemoveRun(t.Context(), key.Run); err != nil {
		t.Fatal(err)
	}
	if left := files(t, filepath.Dir(filepath.Dir(path))); len(left) > 0 {
		t.Errorf("RemoveRun has left %q", left)
	}
}

func TestDiskFailedPutLeavesNothing(t *testing.T) {
	c, path := putOne(t, key, []byte("old"))
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, "obstacle"), nil) // a full folder where the file must go
	err := c.Put(t.Context(), key, []byte("new"))
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), key.String()) {
		t.Errorf("got error %v, want one that names %s and the key", err, path)
	}
	if left := files(t, filepath.Dir(path)); len(left) != 1 {
		t.Errorf("a failed Put has left %q", left)
	}
}

func TestDiskFolderThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, []byte("x"))
	c := cache.Disk(path)
	_, get := c.Get(t.Context(), key)
	for op, err := range map[string]error{"get": get, "put": c.Put(t.Context(), key, nil), "delete": c.Delete(t.Context(), key)} {
		if !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want ENOTDIR and the path", op, err)
		}
	}
}
