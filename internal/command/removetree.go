package command

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// removeContents removes all entries of root.
func removeContents(root *os.Root) error {
	names, err := readNames(root)
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, removeTree(root, name))
	}
	return errors.Join(errs...)
}

// removeTree removes name and everything below it from root, and returns the first error. It
// follows no links. Unlike os.Root.RemoveAll, it does not enter mounts, and it empties folders
// without write permission.
func removeTree(root *os.Root, name string) error {
	var first error
	moved := 0
	for folders := []string{name}; len(folders) > 0; {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]

		// A subfolder is moved up into root before it is emptied, so that a tree of any depth needs
		// only a few descriptors. A recursive removal fails on one deeper than the limit of them.
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

// emptyFolder removes the entries of a folder of root. It calls move for subfolders that are not
// empty. If name is not a folder, or is a mount, it does nothing.
func emptyFolder(root *os.Root, name string, move func(sub string) error) error {
	info, err := root.Lstat(name)
	if err != nil || !info.IsDir() {
		return nil
	}

	// EBUSY means a mount. What is mounted there belongs to the host and must survive.
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
		// Most entries are files or empty folders, which one call removes. A folder that is left
		// then is not empty, or is a mount.
		err := folder.Remove(sub)
		if err != nil && !errors.Is(err, syscall.EBUSY) {
			if info, statErr := folder.Lstat(sub); statErr == nil && info.IsDir() {
				if err = makeWritable(folder, sub, info); err == nil {
					err = move(sub)
				}
			}
		}

		if first == nil && !errors.Is(err, fs.ErrNotExist) {
			first = err
		}
	}

	return first
}

// makeWritable gives the owner the permissions that removing entries of the folder needs.
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
