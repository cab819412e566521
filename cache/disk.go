package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// DiskCache keeps each value in a separate file. Make one with [Disk].
//
// The file is <dir>/<run>/<hash of the name>. It begins with a line that has the full key, quoted,
// followed by the entry and its checksum. A file that does not fit its key or its checksum is
// reported as missing.
type DiskCache struct {
	dir     string
	options options
}

// Disk returns a cache in a folder, which is made when the first value is put. Any number of
// processes may use the folder at once. A value that was put survives a crash of the machine. One
// value may have up to 64 GiB (see [MaxSize]); it is held in memory while it is read or written.
// Folders get mode 0700 and files 0600.
//
// A process that dies within Put leaves a file tmp-*, which is never read and goes with
// [DiskCache.RemoveRun].
func Disk(dir string, opts ...Option) *DiskCache {
	return &DiskCache{dir: dir, options: newOptions(64<<30, opts)}
}

// MaxSize returns the most bytes that one value may have.
func (c *DiskCache) MaxSize() int64 { return c.options.maxSize }

// Get implements [Cache].
func (c *DiskCache) Get(ctx context.Context, key Key) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("get", key, "from disk", err)
	}

	file, err := os.ReadFile(c.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotFoundError{Key: key}
	}
	if err != nil {
		return nil, failed("get", key, "from disk", err)
	}

	// The name of the file is a hash of the key's name, and a file may have been copied by hand.
	entry, ours := bytes.CutPrefix(file, keyLine(key))
	if !ours {
		return nil, c.damaged(key, damage("it does not begin with its key"))
	}

	value, err := decode(key, entry, c.options.maxSize)
	if err != nil {
		return nil, c.damaged(key, err)
	}

	return value, nil
}

func (c *DiskCache) damaged(key Key, err error) error {
	return &NotFoundError{Key: key, Damage: fmt.Sprintf("%s: %v", c.path(key), err)}
}

// Put implements [Cache]. A disk error such as "no space left on device" names the path, and leaves
// what was there before.
func (c *DiskCache) Put(ctx context.Context, key Key, value []byte) error {
	if err := ctx.Err(); err != nil {
		return failed("put", key, "on disk", err)
	}
	if err := c.options.checkSize("disk", key, value); err != nil {
		return err
	}

	header, payload := encode(key, value)
	return failed("put", key, "on disk", replaceFile(c.path(key), keyLine(key), header, payload))
}

// replaceFile puts a file with the given content at path, at once and for good.
func replaceFile(path string, parts ...[]byte) error {
	// In the same folder: a rename is atomic only within a file system.
	folder := filepath.Dir(path)
	file, err := createTemp(folder)
	if err != nil {
		return err
	}

	// The content is synced before the rename. Otherwise a crash of the machine could leave the
	// name with an empty file in place of the old value.
	err = errors.Join(writeSynced(file, parts), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}

	return syncFolder(folder)
}

// createTemp makes a new file in folder, and first the folder when there is none.
func createTemp(folder string) (*os.File, error) {
	// The folder exists for all values of a run but the first, so it is not looked for.
	file, err := os.CreateTemp(folder, "tmp-*")
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if err := makeFolder(folder, syncFolder); err != nil {
		return nil, err
	}

	return os.CreateTemp(folder, "tmp-*")
}

// makeFolder makes a folder and those above it that are missing. The name of each new one survives
// a crash of the machine: sync is called for the folder that it is in, from the top down.
func makeFolder(folder string, sync func(string) error) error {
	above := filepath.Dir(folder)
	if _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) && above != folder {
		if err := makeFolder(above, sync); err != nil {
			return err
		}
	}

	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}

	// Even if the folder was there: another process may have made it, and not synced it yet.
	return sync(above)
}

func writeSynced(file *os.File, parts [][]byte) error {
	for _, part := range parts {
		if _, err := file.Write(part); err != nil {
			return err
		}
	}
	return file.Sync()
}

// syncFolder makes the names in a folder survive a crash of the machine.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Delete implements [Cache].
func (c *DiskCache) Delete(ctx context.Context, key Key) error {
	if err := ctx.Err(); err != nil {
		return failed("delete", key, "from disk", err)
	}

	path := c.path(key)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		// Without it, the value could return after a crash of the machine.
		err = syncFolder(filepath.Dir(path))
	}

	return failed("delete", key, "from disk", err)
}

// RemoveRun implements [Remover]. It also removes what processes that died within Put have left.
func (c *DiskCache) RemoveRun(ctx context.Context, run string) error {
	if err := ctx.Err(); err != nil {
		return failedRun(run, "disk", err)
	}
	return failedRun(run, "disk", os.RemoveAll(c.runFolder(run)))
}

func (c *DiskCache) path(key Key) string {
	return filepath.Join(c.runFolder(key.Run), fmt.Sprintf("%x", sha256.Sum256([]byte(key.Name))))
}

// runFolder is readable and, by the hash, distinct for each run, also where "A" and "a" are the
// same file name.
func (c *DiskCache) runFolder(run string) string {
	// Short enough for every file system, with the hash behind it.
	const most = 40
	readable := strings.Map(fileSafe, run[:min(len(run), most)])
	hash := sha256.Sum256([]byte(run))
	return filepath.Join(c.dir, fmt.Sprintf("%s-%x", readable, hash[:16]))
}

func fileSafe(r rune) rune {
	if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", r) {
		return r
	}
	return '_'
}

// keyLine is what the file of key begins with. Quoted text has no line breaks and stands for one
// key only.
func keyLine(key Key) []byte {
	return []byte(strconv.Quote(key.Run) + " " + strconv.Quote(key.Name) + "\n")
}
