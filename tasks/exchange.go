package tasks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNoOutput is what [Values].Output returns for a dependency that has produced no value.
var ErrNoOutput = errors.New("the stage has no output")

// maxOutput is the largest output of a command in bytes.
const maxOutput = 64 << 20

// rawHeader is the first line of a value in the stored form of package cache's codec "raw"; the
// bytes themselves follow. It is repeated here because tasks must not import cache.
const rawHeader = "raw\n"

// writeFile writes a file of a workspace.
func writeFile(root *os.Root, name string, content []byte) error {
	return workerFault(root.WriteFile(name, content, 0o600))
}

// workerFault makes what the system refuses, such as space on the disk, the worker's fault. A name
// that leads out of the folder is not.
func workerFault(err error) error {
	if _, refused := errors.AsType[syscall.Errno](err); refused {
		return fmt.Errorf("%w: %w", ErrWorker, err)
	}
	return err
}

// collect makes what the command left in the output file the output of s. No file is no output.
func (w *workspace) collect(s *Stage) error {
	value, err := readOutput(w.parent.root, w.entry(outputName), s.User)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("GODAGS_OUTPUT: %w", err)
	}

	s.Values.SetOutput(value)
	return nil
}

// readOutput returns the content of a file in its stored form. It follows no link: what a stage may
// read is for the command to decide, which may be another user than the worker. Nor does it wait
// for a FIFO, or open a device.
func readOutput(root *os.Root, name string, user *User) ([]byte, error) {
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

	if info, err = f.Stat(); err == nil {
		// something else may be there by now
		err = errors.Join(checkOutput(info), user.checkOwner(info))
	}
	if err != nil {
		return nil, err
	}

	value := make([]byte, len(rawHeader)+int(info.Size()))
	copy(value, rawHeader)
	if _, err := io.ReadFull(f, value[len(rawHeader):]); err != nil {
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
		return NoRetry(fmt.Errorf("the output has %d bytes, the limit is %d (64 MiB): write it elsewhere and hand over its path", info.Size(), maxOutput))
	}

	return nil
}
