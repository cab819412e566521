package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// writeFile replaces a file atomically. A pipe or device is not replaced, but written to.
func writeFile(path string, write func(io.Writer) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays a link
	}

	info, err := os.Stat(path)
	// Renaming a file over /dev/stdout or a named pipe would replace it.
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("write the picture: %w", err)
		}
		return errors.Join(write(f), f.Close())
	}

	// In the same folder, because a rename does not cross file systems. A reader sees a whole
	// picture or none.
	temporary := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	// Without Sync a power failure could leave the new name with an empty file.
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the picture: %w", err), os.Remove(temporary))
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(fmt.Errorf("write the picture: %w", err), os.Remove(temporary))
	}

	return nil
}

// viewerTime is how long openFile waits for a viewer to fail. A viewer that still runs then has
// shown the file.
const viewerTime = 3 * time.Second

// openFile shows a file in the default viewer of the system.
func openFile(path string) error {
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	}

	viewer := exec.Command(program, path)
	failed := func(err error) error { return fmt.Errorf("cannot show the picture: %w; it is in %s", err, path) }
	if err := viewer.Start(); err != nil {
		return failed(err)
	}

	// A viewer may run for hours: it outlives this process.
	done := make(chan error, 1)
	go func() { done <- viewer.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			return failed(fmt.Errorf("%s: %w", program, err))
		}
	case <-time.After(viewerTime):
	}

	return nil
}
