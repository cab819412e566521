package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/godags/godags/internal/fault"
)

// Inputs writes files to the folder of inputs of a workspace. No name can lead out of the folder.
// An error of the system, such as a full disk, is [fault.ErrWorker].
type Inputs struct {
	workspace *Workspace
	root      *os.Root // nil until the first file is written: most commands have no inputs
}

// Inputs returns the folder of inputs, which must be closed.
func (w *Workspace) Inputs() *Inputs { return &Inputs{workspace: w} }

func (in *Inputs) open() (err error) {
	if in.root == nil {
		in.root, err = in.workspace.parent.root.OpenRoot(in.workspace.entry(inputsName))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", fault.ErrWorker, err)
	}
	return nil
}

// Close closes the folder.
func (in *Inputs) Close() {
	if in.root != nil {
		_ = in.root.Close() // its files are closed already
	}
}

// WriteFile writes a file.
func (in *Inputs) WriteFile(name string, content []byte) error {
	if err := in.open(); err != nil {
		return err
	}
	return systemFault(in.root.WriteFile(name, content, 0o600))
}

// Create makes a file.
func (in *Inputs) Create(name string) (io.WriteCloser, error) {
	if err := in.open(); err != nil {
		return nil, err
	}

	f, err := in.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, systemFault(err)
	}

	return inputFile{f}, nil
}

// inputFile classifies the errors of a file.
type inputFile struct{ file *os.File }

func (f inputFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, systemFault(err)
}

func (f inputFile) Close() error { return systemFault(f.file.Close()) }

// ReplaceByFolder removes a file that was created and makes a folder of that name.
func (in *Inputs) ReplaceByFolder(name string) error {
	if err := in.root.Remove(name); err != nil {
		return systemFault(err)
	}
	return systemFault(in.root.Mkdir(name, 0o700))
}

// systemFault marks an error of the system, such as a full disk, as the worker's. The error for a
// name that leads out of the folder does not come from the system, and stays the stage's.
func systemFault(err error) error {
	if _, refused := errors.AsType[syscall.Errno](err); refused {
		return fmt.Errorf("%w: %w", fault.ErrWorker, err)
	}
	return err
}
