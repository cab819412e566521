package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/godags/godags/internal/fault"
)

// startError is a program that could not be started. Its text replaces that of the system, which
// for instance says "no such file" when the interpreter of a script is missing.
type startError struct {
	text string
	err  error
}

func (e *startError) Error() string { return e.text }
func (e *startError) Unwrap() error { return e.err }

// startError returns an error that says why the program could not be started, and what to do.
func (p Program) startError(err error) error {
	if errors.Is(err, fault.ErrWorker) {
		return err
	}

	// A program that is still being written will be complete at the next attempt. Everything else
	// stays wrong until a person changes it, so retries would only delay the report.
	text := fmt.Sprintf("cannot start %q: %s", p.Argv[0], p.explain(err))
	if errors.Is(err, syscall.ETXTBSY) {
		return &startError{text, err}
	}
	return fault.NoRetry(&startError{text, err})
}

func (p Program) explain(err error) string {
	// The system reports a folder that does not exist as if the program did not.
	if p.Dir != "" {
		if info, dirErr := os.Stat(p.Dir); dirErr != nil || !info.IsDir() {
			return fmt.Sprintf("it would start in %q, which is not a folder on this worker", p.Dir)
		}

		if folder := p.User.inaccessible(p.Dir); folder != "" {
			return fmt.Sprintf("it would start in %q, but user %s, as whom commands run, may not enter %s",
				p.Dir, p.User.Name, folder)
		}
		if !executable(p.Dir) {
			return fmt.Sprintf("it would start in %q, a folder that the worker may not enter", p.Dir)
		}
	}

	failed, ok := errors.AsType[*os.PathError](err)
	if !ok {
		return explainLookup(p.Argv[0], err)
	}

	// A relative path counts from the folder of the command.
	file := failed.Path
	if !filepath.IsAbs(file) {
		file = filepath.Join(p.Dir, file)
	}

	switch {
	case errors.Is(err, syscall.ENOENT):
		return explainMissing(file)
	case errors.Is(err, syscall.ENOEXEC):
		return explainFormat(file)
	case errors.Is(err, syscall.EACCES):
		if path := p.User.inaccessible(file); path != "" {
			return fmt.Sprintf("user %s, as whom commands run, may not enter or execute %s", p.User.Name, path)
		}
		return explainPermission(file)

	case errors.Is(err, syscall.E2BIG):
		return explainSize(p.Argv, p.Env)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Sprintf("a part of the path %s is not a folder", file)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Sprintf("%s is a link, or a script, that leads to itself", file)
	case errors.Is(err, syscall.ETXTBSY):
		return fmt.Sprintf("another process still writes %s: let it close the file first", file)
	}

	return failed.Err.Error()
}

// explainLookup says why a program was not found in PATH.
func explainLookup(name string, err error) string {
	path := os.Getenv("PATH")
	if errors.Is(err, exec.ErrDot) {
		return fmt.Sprintf("it is found in a folder of PATH that is relative (%s): "+
			"make the folder absolute, or give the path of the program", path)
	}

	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file + " is in the worker's PATH, but may not be executed: make it executable, with chmod +x"
		}
	}

	return fmt.Sprintf("the program is not in the worker's PATH (%s): install it there or give its full path", shortPath(path))
}

// shortPath returns PATH as an error shows it: a long one by its first folders.
func shortPath(path string) string {
	const most = 100
	const shown = 3
	folders := filepath.SplitList(path)
	if len(path) <= most || len(folders) <= shown {
		return path
	}

	return fmt.Sprintf("%s and %d more folders",
		strings.Join(folders[:shown], string(filepath.ListSeparator)), len(folders)-shown)
}

// explainMissing says what is missing: the file, or a program that executes it.
func explainMissing(file string) string {
	if _, err := os.Stat(file); err != nil {
		if target, linkErr := os.Readlink(file); linkErr == nil {
			return fmt.Sprintf("%s is a link to %s, which does not exist on this worker", file, target)
		}
		return fmt.Sprintf("there is no such file on this worker (%s)", file)
	}

	// The file exists, so the system means its interpreter or its dynamic loader.
	if interpreter, ok := interpreterOf(file); ok {
		return explainInterpreter(file, interpreter, "which this worker does not have: install it, or change the line")
	}
	if loader := loaderOf(file); loader != "" {
		return fmt.Sprintf("%s needs %s, which this worker does not have: it was built for another system (glibc or musl)",
			file, loader)
	}

	return fmt.Sprintf("something that %s needs is missing on this worker", file)
}

func explainInterpreter(file, interpreter, what string) string {
	if strings.HasSuffix(interpreter, "\r") {
		return fmt.Sprintf("the first line of %s asks for the program %q: "+
			"the file has Windows line ends (CRLF); convert it, with dos2unix for instance", file, interpreter)
	}
	return fmt.Sprintf("the first line of %s asks for the program %q, %s", file, interpreter, what)
}

// explainFormat says why the system cannot execute what is in the file.
func explainFormat(file string) string {
	begin := beginOf(file)
	switch {
	case len(begin) == 0:
		return file + " is empty, or cannot be read"
	case bytes.HasPrefix(begin, []byte("\xef\xbb\xbf#!")):
		return file + " begins with a byte order mark, so that its line #! does not count: save it without (UTF-8, no BOM)"
	case bytes.HasPrefix(begin, []byte("#!")):
		return fmt.Sprintf("the first line of %s names no program: write one such as #!/bin/sh", file)
	case bytes.HasPrefix(begin, []byte("MZ")):
		return file + " is a program for Windows"
	}

	if machine := machineOf(file); machine != "" {
		return fmt.Sprintf("%s is a program for %s, which this worker cannot execute: build it for this one", file, machine)
	}
	if bytes.IndexByte(begin, 0) >= 0 {
		return file + " is not a program for this worker"
	}

	return fmt.Sprintf("%s has no first line such as #!/bin/sh: "+
		"add one, or name the interpreter, as in [sh, %s]", file, file)
}

func explainPermission(file string) string {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return fmt.Sprintf("the worker may not look into a folder of the path %s", file)
	case info.IsDir():
		return file + " is a folder"
	case info.Mode()&0o111 == 0:
		return fmt.Sprintf("%s may not be executed: "+
			"make it executable, with chmod +x, or name its interpreter, as in [sh, %s]", file, file)
	case noexec(file):
		return file + " is on a file system that is mounted without permission to execute (noexec)"
	}

	if interpreter, ok := interpreterOf(file); ok && executable(file) {
		return explainInterpreter(file, interpreter, "which the worker may not execute")
	}

	return fmt.Sprintf("the user of the worker may not execute %s (%v)", file, info.Mode())
}

// interpreterOf returns the program that the first line of a script names.
func interpreterOf(file string) (string, bool) {
	line, _, _ := bytes.Cut(beginOf(file), []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte("#!"))
	name, _, _ := strings.Cut(strings.TrimLeft(string(rest), " \t"), " ")
	return name, ok
}

// beginOf returns the first bytes of a file.
func beginOf(file string) []byte {
	f, err := os.OpenFile(file, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	begin := make([]byte, 256) // as many as Linux looks at
	n, _ := io.ReadFull(f, begin)
	return begin[:n]
}
