package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godags/godags/internal/command"
)

// commandParams are the parameters of a command.
type commandParams struct {
	argv []string
	// script is run, if it is too long for an argument. Then argv ends where the text for the shell
	// must be added.
	script       string
	dir          string
	env          map[string]string
	noRetryCodes []int
}

// parseCommand reads the parameters of a command. The error has a line for each mistake.
func parseCommand(params json.RawMessage) (commandParams, error) {
	var c commandParams
	var run string
	var shell []string
	errs := []error{decodeParams(params, map[string]any{
		"run": &run, "argv": &c.argv, "shell": &shell, "dir": &c.dir, "env": &c.env, "no_retry_codes": &c.noRetryCodes,
	})}

	// The rules between parameters would report the same mistake again in other words.
	if errs[0] == nil {
		errs = append(errs, c.chooseProgram(run, shell), checkEnv(c.env), checkCodes(c.noRetryCodes))
		if strings.ContainsRune(strings.Join(append(c.argv, c.dir, c.script), ""), 0) {
			errs = append(errs, errors.New("a command cannot contain a NUL character"))
		}
	}

	return c, errors.Join(errs...)
}

// chooseProgram sets the program and its arguments.
func (c *commandParams) chooseProgram(run string, shell []string) error {
	switch {
	case run != "" && c.argv != nil:
		return errors.New(`params "run" and "argv" exclude each other: give one`)
	case run == "" && c.argv == nil:
		return errors.New(`a param is missing: give "run", a text for the shell, or "argv", a list of program and arguments`)
	case run == "" && shell != nil:
		return errors.New(`param "shell" is of no use with "argv": it says what executes "run"`)
	case run == "" && (len(c.argv) == 0 || c.argv[0] == ""):
		return errors.New(`param "argv" names no program`)
	case run == "":
		return nil
	case shell == nil:
		shell = []string{"sh", "-c"}
	case len(shell) == 0 || shell[0] == "":
		return errors.New(`param "shell" names no program: give one such as ["bash", "-c"]`)
	}

	// A text that is too long for an argument goes into a file, which a shell can read. Other
	// interpreters have no common way to do so.
	c.argv = slices.Clone(shell)
	switch {
	case len(run) <= command.MaxVariable:
		c.argv = append(c.argv, run)
	case readsScripts(shell):
		c.script = run
	default:
		return fmt.Errorf(`param "run" has %d bytes, and %s can take %d of them as an argument: put the text into a file`,
			len(run), shell[0], command.MaxVariable)
	}

	return nil
}

// readsScripts reports whether a shell reads the text that is added to the command. It can then
// read a file instead.
func readsScripts(shell []string) bool {
	// The last argument must be the option -c, alone or among others as in -euc: only then is the
	// text that follows a script.
	last := shell[len(shell)-1]
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"}, filepath.Base(shell[0])) &&
		len(shell) > 1 && strings.HasPrefix(last, "-") && !strings.HasPrefix(last, "--") && strings.HasSuffix(last, "c")
}

func checkEnv(env map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			errs = append(errs, fmt.Errorf(`param "env": %q cannot be the name of a variable`, name))
		case strings.HasPrefix(name, "GODAGS_"):
			errs = append(errs, fmt.Errorf(
				`param "env": %s cannot be set, names that begin with GODAGS_ are given by the worker`, name))
		case len(name)+len("=")+len(env[name]) > command.MaxVariable:
			errs = append(errs, fmt.Errorf(`param "env": %w`, command.VariableTooLong(name, env[name])))
		case strings.ContainsRune(env[name], 0):
			errs = append(errs, fmt.Errorf(`param "env": the value of %s contains a NUL character`, name))
		}
	}

	return errors.Join(errs...)
}

func checkCodes(codes []int) error {
	for _, code := range codes {
		if code < 1 || code > 255 {
			return fmt.Errorf(`param "no_retry_codes": %d is no exit status of a failure: give numbers from 1 to 255`, code)
		}
	}
	return nil
}
