package command

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ExplainExit says why a program that was started has probably failed, if its exit status or its
// arguments tell. It returns "" if they do not.
func (p Program) ExplainExit(exit *ExitError) string {
	dir := p.Dir
	if abs, err := filepath.Abs(p.Dir); err == nil {
		dir = abs
	}

	// The message of the interpreter names the script, but not the folder.
	if script := p.script(); script != "" {
		file := script
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		if _, err := os.Stat(file); err != nil && os.IsNotExist(err) {
			return fmt.Sprintf("there is no file %s in %s", script, dir)
		}
	}

	// These codes are those of shells. Other programs may use them, and hardly do.
	switch {
	case exit.Signal != "":
		return ""
	case exit.Code == 127:
		return fmt.Sprintf("a program or script was not found: PATH and the folder %s were searched", dir)
	case exit.Code == 126:
		return fmt.Sprintf("a program or script may not be executed, or is none: make it executable with chmod +x (the command started in %s)", dir)
	}

	return ""
}

// shells and interpreters execute the file that their first argument names.
var (
	shells       = []string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"}
	interpreters = []string{"python", "python3", "Rscript", "node", "perl", "ruby", "julia", "php", "lua"}
)

// script returns the file that an interpreter executes, or "" if there is none.
func (p Program) script() string {
	base := filepath.Base(p.Argv[0])
	shell := slices.Contains(shells, base)
	if !shell && !slices.Contains(interpreters, base) {
		return ""
	}

	for _, arg := range p.Argv[1:] {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
		// Options such as -eu take no argument. After -c, -m or an unknown option there is none, or
		// it is no file.
		if !shell || strings.HasPrefix(arg, "--") || strings.ContainsAny(arg, "co") {
			return ""
		}
	}

	return ""
}
