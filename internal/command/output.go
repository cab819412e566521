package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/godags/godags/internal/fault"
)

// maxOutput is the largest output of a command in bytes.
const maxOutput = 64 << 20

// AppendOutput appends the content of the output file to b. If the command wrote none, the error is
// [fs.ErrNotExist]. The file must belong to the user, unless that is nil.
func (w *Workspace) AppendOutput(b []byte, user *User) ([]byte, error) {
	b, err := appendOutput(b, w.parent.root, w.entry(outputName), user)
	if err != nil {
		return nil, fmt.Errorf("GODAGS_OUTPUT: %w", err)
	}
	return b, nil
}

func appendOutput(b []byte, root *os.Root, name string, user *User) ([]byte, error) {
	// Links are not followed: the worker may read files that the user of the command may not.
	info, err := root.Lstat(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the command put something else in place of its folder, where its output would be: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if err := checkOutput(info); err != nil {
		return nil, err
	}

	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	// A process that survived the command may have replaced the file since. The flag nonblock keeps
	// a FIFO from blocking the worker, and these checks refuse it.
	if info, err = f.Stat(); err == nil {
		err = errors.Join(checkOutput(info), user.checkOwner(info))
	}
	if err != nil {
		return nil, err
	}

	// Read into place: an output may have 64 MiB, and a copy would take as much again.
	value := make([]byte, len(b)+int(info.Size()))
	copy(value, b)
	if _, err := io.ReadFull(f, value[len(b):]); err != nil {
		return nil, fmt.Errorf("read the output: %w", err)
	}

	return value, nil
}

func checkOutput(info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("the command made a link, which is not followed: write the file itself, with cp for instance")
	case !info.Mode().IsRegular():
		return fmt.Errorf("the command made something that is not a file (%v): write a file", info.Mode())
	case info.Size() > maxOutput:
		return fault.NoRetry(fmt.Errorf("the output has %d bytes, the limit is %d (64 MiB): "+
			"write it elsewhere and pass its path", info.Size(), maxOutput))
	}

	return nil
}
