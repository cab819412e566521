//go:build unix

package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lookPath returns the path of a program, as exec.LookPath does. It caches nothing: a stage may
// install the program of the next one. A cache would make a short command a hundredth faster.
func lookPath(name string) (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) != nil {
			continue
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			continue
		}
		if !filepath.IsAbs(path) {
			return "", &exec.Error{Name: name, Err: fmt.Errorf("%w: %s", exec.ErrDot, path)}
		}

		return path, nil
	}

	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
