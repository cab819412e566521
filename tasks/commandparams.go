package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// commandCall is what the parameters of a command say.
type commandCall struct {
	argv []string
	// run, if it is too long to be an argument: argv is then a shell that needs a text which reads
	// it
	script       string
	dir          string
	env          map[string]string
	noRetryCodes []int
}

// parseCommand reads the parameters of a command. The error has a line for each fault.
func parseCommand(params json.RawMessage) (commandCall, error) {
	var c commandCall
	var run string
	var shell []string
	faults := []error{decodeParams(params, map[string]any{
		"run": &run, "argv": &c.argv, "shell": &shell, "dir": &c.dir, "env": &c.env, "no_retry_codes": &c.noRetryCodes,
	})}
	if faults[0] == nil {
		faults = append(faults, c.chooseProgram(run, shell), checkEnv(c.env), checkCodes(c.noRetryCodes))
		if strings.ContainsRune(strings.Join(append(c.argv, c.dir, c.script), ""), 0) {
			faults = append(faults, errors.New("a command cannot contain a NUL character"))
		}
	}

	return c, errors.Join(faults...)
}

// chooseProgram sets the program and its arguments.
func (c *commandCall) chooseProgram(run string, shell []string) error {
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

	c.argv = slices.Clone(shell)
	switch {
	case len(run) <= MaxVariable:
		c.argv = append(c.argv, run)
	case readsScripts(shell):
		c.script = run
	default:
		return fmt.Errorf(`param "run" has %d bytes, and %s can take %d of them as an argument: put the text into a file`, len(run), shell[0], MaxVariable)
	}

	return nil
}

// readsScripts tells whether the text that is added to the command is read by a shell, which can
// then be told to read a file.
func readsScripts(shell []string) bool {
	last := shell[len(shell)-1]
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"}, filepath.Base(shell[0])) &&
		len(shell) > 1 && strings.HasPrefix(last, "-") && !strings.HasPrefix(last, "--") && strings.HasSuffix(last, "c")
}

func checkEnv(env map[string]string) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			faults = append(faults, fmt.Errorf(`param "env": %q cannot be the name of a variable`, name))
		case strings.HasPrefix(name, "GODAGS_"):
			faults = append(faults, fmt.Errorf(`param "env": %s cannot be set, names that begin with GODAGS_ are given by the worker`, name))
		case len(name)+len("=")+len(env[name]) > MaxVariable:
			faults = append(faults, fmt.Errorf(`param "env": %w`, variableTooLong(name, env[name])))
		case strings.ContainsRune(env[name], 0):
			faults = append(faults, fmt.Errorf(`param "env": the value of %s contains a NUL character`, name))
		}
	}

	return errors.Join(faults...)
}

func checkCodes(codes []int) error {
	for _, code := range codes {
		if code < 1 || code > 255 {
			return fmt.Errorf(`param "no_retry_codes": %d is no exit status of a failure: give numbers from 1 to 255`, code)
		}
	}
	return nil
}
