package sign

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/godags/godags/internal/owned"
)

// UserFile returns the path of the user's key. It is an error if the user has no folder for
// settings.
func UserFile() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no place to keep a key (%w): "+
			"set %s to the same text of at least %d characters for all coordinators and workers", err, Variable, MinText)
	}
	return filepath.Join(folder, "godags", "key"), nil
}

// File returns the key in a file. If there is no file, it makes one with mode 0600 and a new key.
// Processes that do so at the same time get the same key.
func File(path string) (Key, error) {
	// The file is read again after it was made: another process may have been faster.
	k, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(path); err == nil {
			k, err = read(path)
		}
	}
	if err != nil {
		return Key{}, fmt.Errorf("key file: %w (or set %s)", err, Variable)
	}

	return k, nil
}

// ReadFile returns the key in a file. It does not make one.
func ReadFile(path string) (Key, error) { return read(path) }

func read(path string) (Key, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return Key{}, fmt.Errorf("%w: let its owner do `chown %d %s && chmod 600 %s`", err, os.Geteuid(), path, path)
	}
	if err != nil {
		return Key{}, err
	}
	defer f.Close()

	// The open file is checked, and not the path, which could lead elsewhere a moment later.
	info, err := f.Stat()
	if err != nil {
		return Key{}, err
	}
	if !info.Mode().IsRegular() {
		return Key{}, fmt.Errorf("%s is not a file", path)
	}
	if err := owned.Check(path, info); err != nil {
		return Key{}, fmt.Errorf("%w, who knows the key", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%s can be read by other users (mode %#o): "+
			"do `chmod 600 %s`, or remove it if another user may have read it: a new one is made",
			path, info.Mode().Perm(), path)
	}

	text := make([]byte, maxFile)
	n, err := f.Read(text)
	if n == 0 {
		return Key{}, fmt.Errorf("%s is empty: remove it, and a new one is made", path)
	}
	if err != nil {
		return Key{}, err
	}

	k, err := Parse(string(text[:n]))
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", path, err)
	}

	return k, nil
}

// maxFile is the number of bytes that are read of a key file.
const maxFile = 4096

// create makes the file completely or not at all. It keeps a file that another process has just
// made.
func create(path string) error {
	k, err := Random()
	if err != nil {
		return err
	}

	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}

	// A link fails if the name exists, where a rename would replace the key of another process.
	draft := path + "." + rand.Text()[:8]
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}

	_, err = f.WriteString(k.Text() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		if err = os.Link(draft, path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}

	return errors.Join(err, os.Remove(draft))
}
