package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/godags/godags/internal/fault"
)

// checkSize is the size in bytes of the file that CanExecute writes. It is so large that no file
// system keeps the file in its inode, where it would take no space.
const checkSize = 64 << 10

// CanExecute returns a [fault.ErrWorker] if this process cannot execute commands now. It makes a
// folder with a file where workspaces are made, and starts a process.
func CanExecute() error {
	dir, err := os.MkdirTemp("", "godags-check-")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "file"), make([]byte, checkSize), 0o600)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return fmt.Errorf("%w: folder for inputs and outputs: %w", fault.ErrWorker, err)
	}

	// The null device cannot be executed. So the system makes a process, which ends with this
	// error, and the check does not depend on a program that may be missing.
	c, err := Program{Argv: []string{os.DevNull}}.start(io.Discard)
	if err == nil {
		c.close()
		return nil
	}
	if errors.Is(err, fault.ErrWorker) {
		return err
	}

	return nil
}
