package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// DefaultGrace is how long a command may go on after it was asked to stop, unless told otherwise: 5 s.
const DefaultGrace = 5 * time.Second

// Command is the built-in task command: it executes a program as the leader of a process group of its own.
//
// Parameters: either run, a text for sh -c, or argv, a list of the program and its arguments.
// Standard input is empty; standard output and error go to the stage's log.
// The environment is the worker's, without GODAGS_KEY, REDIS_URL and GODAGS_SECRET_*, plus
//
//	GODAGS_RUN, GODAGS_PIPELINE, GODAGS_STAGE   id of the run, names of pipeline and stage
//	GODAGS_ATTEMPT                              1 for the first attempt
//	GODAGS_INPUTS                               folder with a file for each dependency that has an output, named like the stage
//	GODAGS_OUTPUT                               path of a file: what a successful command leaves there, up to 64 MiB, is the stage's output
//
// When the context is done, the group gets SIGTERM, and SIGKILL after the grace. What a command leaves running in its group is
// killed when it ends, and, provided there is an sh, also when the worker is killed. A process that has left the group is not
// followed; its output is no longer captured soon after the command has ended.
// On Windows only the program itself is killed, and at once.
//
// A command that fails is an [*ExitError].
type Command struct {
	Grace time.Duration // from SIGTERM to SIGKILL; 0 means DefaultGrace
}

// Validate checks params: see [Command].
func (Command) Validate(params json.RawMessage) error {
	_, err := commandArgv(params)
	return err
}

// Handle executes the command of s.
func (c Command) Handle(ctx context.Context, s *Stage) error {
	argv, err := commandArgv(s.Params)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d, err := takeDesk(s.Log)
	if err != nil {
		return err
	}
	err = c.execute(ctx, argv, d, s)
	if leaveErr := d.leave(); leaveErr != nil {
		fmt.Fprintf(s.Log, "godags: %v\n", leaveErr) // what the command did stays done
	}
	return err
}

func (c Command) execute(ctx context.Context, argv []string, d *desk, s *Stage) error {
	if err := d.putInputs(ctx, s); err != nil {
		return err
	}
	p := program{argv: argv, env: commandEnv(os.Environ(), s, d), grace: c.Grace}
	if p.grace == 0 {
		p.grace = DefaultGrace
	}
	if err := p.execute(ctx, d, s.Log); err != nil {
		return err
	}
	return d.collect(s)
}

// commandArgv returns the program and its arguments that params ask for.
func commandArgv(params json.RawMessage) ([]string, error) {
	var run string
	var argv []string
	if err := decodeParams(params, map[string]any{"run": &run, "argv": &argv}); err != nil {
		return nil, err
	}
	switch {
	case run != "" && argv != nil:
		return nil, errors.New(`params "run" and "argv" exclude each other: give one`)
	case run != "":
		argv = []string{"sh", "-c", run}
	case argv == nil:
		return nil, errors.New(`a param is missing: give "run", a text for sh -c, or "argv", a list of program and arguments`)
	case len(argv) == 0 || argv[0] == "":
		return nil, errors.New(`param "argv" names no program`)
	}
	for _, arg := range argv {
		if strings.ContainsRune(arg, 0) {
			return nil, errors.New("a command cannot contain a NUL character")
		}
	}
	return argv, nil
}

// commandEnv returns the worker's environment without what only the worker may know, and with what the stage is.
func commandEnv(environ []string, s *Stage, d *desk) []string {
	own := map[string]string{
		"GODAGS_RUN":      s.Run,
		"GODAGS_PIPELINE": s.Pipeline,
		"GODAGS_STAGE":    s.Name,
		"GODAGS_ATTEMPT":  strconv.Itoa(s.Attempt),
		"GODAGS_INPUTS":   d.inputs(),
		"GODAGS_OUTPUT":   d.output(),
	}
	env := make([]string, 0, len(environ)+len(own))
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := own[name]; !replaced && !private(name) {
			env = append(env, entry)
		}
	}
	for name, value := range own {
		env = append(env, name+"="+value)
	}
	return env
}

// private tells whether a variable of the worker's environment is hidden from commands.
func private(name string) bool {
	return name == "GODAGS_KEY" || name == "REDIS_URL" || strings.HasPrefix(name, "GODAGS_SECRET_")
}

// ExitError is a command that did not exit with status 0.
type ExitError struct {
	Code   int    // exit status, or -1 if a signal ended the command
	Signal string // name of that signal, such as "SIGKILL", or ""
}

// Error returns "exit status 3" or "killed by SIGKILL".
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "killed by " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}
