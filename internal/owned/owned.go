// Package owned checks that files and folders belong to this user. Files that another user may have
// written are not trusted.
package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder that only this user can enter, with its parents. It returns the real,
// absolute path of the folder and whether it was made.
//
// A folder that exists must belong to this user, and no other user may write to it. A user who can
// write to the state folder chooses the key that signs, and the files that are written. The same
// holds for a symbolic link to it.
func MakeFolder(path string) (string, bool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", false, err
	}

	// Not MkdirAll: only Mkdir tells whether the folder is new.
	err = os.Mkdir(path, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", false, err
	}

	made := err == nil

	// Also a folder that was just made: its parent may belong to another user, who can replace it.
	if err := CheckFolder(path); err != nil {
		return "", false, err
	}

	// The real path, so that a link that is changed later leads this process nowhere else.
	path, err = filepath.EvalSymlinks(path)
	return path, made, err
}

// CheckFolder returns an error unless a folder belongs to this user and no other user can write to
// it. If path is a symbolic link, the link must belong to this user too.
func CheckFolder(path string) error {
	// A link of another user could be pointed to another folder later.
	link, err := os.Lstat(path)
	if err != nil {
		return err
	}

	folder, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !folder.IsDir() {
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("not a folder")}
	}
	if err := Check(path, link); err != nil {
		return err
	}
	if err := Check(path, folder); err != nil {
		return err
	}
	if writable(folder) {
		return fmt.Errorf("other users can write to %s (mode %#o): run `chmod go-w %s` if only you have written to it",
			path, folder.Mode().Perm(), path)
	}

	return nil
}
