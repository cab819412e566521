package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// DefaultGrace is how long a command may go on after it was asked to stop, unless told otherwise: 5
// s.
const DefaultGrace = 5 * time.Second

// Command is the built-in task command: it executes a program as the leader of a session of its
// own, without a terminal.
//
// Its parameters are either run or argv, and any of the others:
//
//	run             text for the shell
//	argv            list of a program, which is looked up in the worker's PATH, and its arguments
//	shell           list of the program and arguments that run is given to as the last one; default ["sh", "-c"]
//	dir             folder to start in; default and start of a relative one is the working directory of the worker
//	env             mapping of names to texts: variables of the environment
//	no_retry_codes  list of exit statuses, 1 to 255: after one of these the stage is not executed again
//
// Standard input is empty; standard output and error go to the stage's log. The environment is the
// worker's, without GODAGS_KEY, REDIS_URL and GODAGS_SECRET_*, then the pipeline's env, the stage's
// env, its secrets, and
//
//	GODAGS_RUN, GODAGS_PIPELINE, GODAGS_STAGE   id of the run, names of pipeline and stage
//	GODAGS_ATTEMPT                              1 for the first attempt
//	GODAGS_INPUTS                               folder with a file for each dependency that has an output, named like the stage. The outputs of
//	                                            instances, or of cells of a matrix, are one JSON array, or a folder of files if one is neither
//	                                            JSON nor text
//	GODAGS_OUTPUT                               path of a file: what a successful command leaves there, up to 64 MiB, is the stage's output
//	GODAGS_PARAM_<NAME>                         a parameter of the run, its name in upper case: a string bare, anything else as JSON
//	GODAGS_ITEM, GODAGS_INDEX                   of an instance its element, in the same way, and its number, 0 for the first
//
// A run of more than 128 KiB reaches the shell by a file that it reads; see [MaxVariable] for
// variables and arguments.
//
// When the context is done, the session gets SIGTERM, and SIGKILL after the grace, or as soon as
// the attempt is revoked. What a command leaves running in its session when it ends has a second to
// end by itself, then gets SIGTERM, and a second later SIGKILL; the attempt has failed if that was
// still writing the output. On systems other than Linux, only the process group of the command is
// followed so. Provided there is an sh, the session is also killed when the worker is. A process
// that makes a session of its own is not followed; its output is no longer captured soon after the
// command has ended. It runs as the user of the worker, or as [Stage].User with its HOME, USER and
// LOGNAME; its folder of inputs and output is that user's then.
//
// On Windows only the program itself is killed, and at once.
//
// A program that cannot be started is [ErrNoRetry], and a worker that can start nothing is
// [ErrWorker]. A command that fails is an [*ExitError].
type Command struct {
	Grace time.Duration // from SIGTERM to SIGKILL; 0 means DefaultGrace
}

// Validate checks params: see [Command].
func (Command) Validate(params json.RawMessage) error {
	_, err := parseCommand(params)
	return err
}

// Handle executes the command of s.
func (c Command) Handle(ctx context.Context, s *Stage) error {
	call, err := parseCommand(s.Params)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	w, err := newWorkspace(s.Log)
	if err != nil {
		return err
	}

	err = c.execute(ctx, call, w, s)
	if removeErr := w.remove(); removeErr != nil {
		fmt.Fprintf(s.Log, "godags: %v\n", removeErr) // what the command did stays done
	}
	return err
}

func (c Command) execute(ctx context.Context, call commandCall, w *workspace, s *Stage) error {
	if err := w.putInputs(ctx, s); err != nil {
		return err
	}

	p := program{argv: call.argv, dir: call.dir, env: commandEnv(os.Environ(), call, s, w), user: s.User, grace: c.Grace, revoked: s.Revoked}
	if call.script != "" {
		if err := writeFile(w.parent.root, w.entry(scriptName), []byte(call.script)); err != nil {
			return fmt.Errorf("run as a file: %w", err)
		}
		p.argv = append(p.argv, ". "+quoteForShell(w.path(scriptName)))
	}

	if err := checkSizes(p.argv, p.env); err != nil {
		return err
	}

	if p.grace == 0 {
		p.grace = DefaultGrace
	}

	err := checkVariables(p.env)
	if err == nil {
		err = w.giveTo(s.User)
	}
	if err == nil {
		err = p.execute(ctx, w, s.Log)
	}

	if exit, ok := errors.AsType[*ExitError](err); ok {
		exit.NoRetry = slices.Contains(call.noRetryCodes, exit.Code)
	}
	if err != nil {
		return err
	}

	return w.collect(s)
}

func quoteForShell(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

// ExitError is a command that did not exit with status 0.
type ExitError struct {
	// exit status; if a signal ended the command, 128 and its number, as shells have it
	Code   int
	Signal string // name of that signal, such as "SIGKILL", or ""

	NoRetry bool // the status is one of the command's no_retry_codes
}

// Is makes errors.Is(err, ErrNoRetry) hold if the command must not be executed again.
func (e *ExitError) Is(target error) bool { return e.NoRetry && target == ErrNoRetry }

// Error returns "exit status 3" or "killed by SIGKILL".
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "killed by " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}
