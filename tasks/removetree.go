package tasks

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// removeContents removes all that is in root.
func removeContents(root *os.Root) error {
	names, err := readNames(root)
	faults := []error{err}
	for _, name := range names {
		faults = append(faults, removeTree(root, name))
	}
	return errors.Join(faults...)
}

// removeTree removes name from root, with all that is in it, and returns the first error. It
// follows no links and, other than os.Root.RemoveAll, enters nothing that is mounted there, and
// also empties folders without write permission.
//
// A folder in a folder is moved up into root before it is emptied, so that trees of any depth need
// only a few descriptors.
func removeTree(root *os.Root, name string) error {
	var first error
	moved := 0
	for folders := []string{name}; len(folders) > 0; {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]

		err := emptyFolder(root, folder, func(sub string) error {
			moved++
			to := name + "." + strconv.Itoa(moved)
			err := root.Rename(folder+"/"+sub, to)
			if err == nil {
				folders = append(folders, to)
			}
			return err
		})

		if removeErr := root.Remove(folder); err == nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = removeErr
		}

		if first == nil {
			first = err
		}
	}

	return first
}

// emptyFolder removes all from a folder of root but the folders that are not empty, which it gives
// to move. What is not a folder, or is mounted, is left for the caller to remove.
func emptyFolder(root *os.Root, name string, move func(sub string) error) error {
	info, err := root.Lstat(name)
	if err != nil || !info.IsDir() {
		return nil
	}
	if err := root.Remove(name); err == nil || errors.Is(err, syscall.EBUSY) {
		return nil
	}
	if err := makeWritable(root, name, info); err != nil {
		return err
	}

	folder, err := root.OpenRoot(name)
	if err != nil {
		return err
	}
	defer folder.Close()

	names, first := readNames(folder)
	for _, sub := range names {
		err := folder.Remove(sub)
		if info, statErr := folder.Lstat(sub); err != nil && statErr == nil && info.IsDir() && !errors.Is(err, syscall.EBUSY) {
			if err = makeWritable(folder, sub, info); err == nil {
				err = move(sub)
			}
		}

		if first == nil && !errors.Is(err, fs.ErrNotExist) {
			first = err
		}
	}

	return first
}

// makeWritable lets entries of the folder be removed.
func makeWritable(root *os.Root, name string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o700 == 0o700 {
		return nil
	}
	return root.Chmod(name, 0o700)
}

func readNames(root *os.Root) ([]string, error) {
	folder, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return folder.Readdirnames(-1)
}
