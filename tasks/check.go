package tasks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// checkSize is how much a workspace must take: enough that no file system keeps it in an inode.
const checkSize = 64 << 10

// CanExecute returns an [ErrWorker] if this process can execute no command now. It makes a folder
// with a file in it where workspaces are, and starts a process.
func CanExecute() error {
	dir, err := os.MkdirTemp("", "godags-check-")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "file"), make([]byte, checkSize), 0o600)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return fmt.Errorf("%w: folder for inputs and outputs: %w", ErrWorker, err)
	}

	// The null device cannot be executed: a process is made that ends with this error, and no
	// program is needed that may not be there.
	l, err := program{argv: []string{os.DevNull}}.start(io.Discard)
	if err == nil {
		l.close()
		return nil
	}
	if errors.Is(err, ErrWorker) {
		return err
	}

	return nil
}
