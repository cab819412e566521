// Package owned tells what only this user can have made, so that nothing is trusted that somebody
// else may have prepared.
package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder that only this user can enter, with its parents, or checks one that is
// there, and returns its real, absolute path and whether it was made.
//
// A folder that is there must belong to this user, and nobody else may write to it: whoever can
// write to the state folder decides which key signs, and which files are written. The same holds
// for a symbolic link to it.
func MakeFolder(path string) (string, bool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", false, err
	}

	err = os.Mkdir(path, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", false, err
	}

	made := err == nil

	if err := CheckFolder(path); err != nil {
		return "", false, err
	}

	path, err = filepath.EvalSymlinks(path)
	return path, made, err
}

// CheckFolder returns an error unless the folder, and the link if path is one, belong to this user,
// and nobody else can write to it.
func CheckFolder(path string) error {
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
		return fmt.Errorf("other users can write to %s (mode %#o): run `chmod go-w %s` if only you have written to it", path, folder.Mode().Perm(), path)
	}

	return nil
}
