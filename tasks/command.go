package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/godags/godags/internal/command"
)

// DefaultGrace is the time between SIGTERM and SIGKILL unless told otherwise: 5 s.
const DefaultGrace = 5 * time.Second

// User is the user that commands run as, if it is not that of the worker.
type User = command.User

// ExitError is the error of a command that did not exit with status 0. Code is its exit status: 128
// plus the number of the signal if a signal ended the command. Signal is the name of that signal,
// such as "SIGKILL", or "".
type ExitError = command.ExitError

// Command is the handler of the built-in task command. It executes a program in a new session,
// without a terminal.
//
// Its parameters are run or argv, and any of the others:
//
//	run             text for the shell
//	argv            list of a program, which is looked up in the worker's PATH, and its arguments
//	shell           list of the program and the arguments before run; default ["sh", "-c"]
//	dir             folder to start in; relative to the working directory of the worker, which is
//	                also the default (`run FILE` without --redis makes it that of the file)
//	env             mapping of names to texts: variables of the environment
//	no_retry_codes  list of exit statuses, 1 to 255, after which the stage is not executed again
//
// Standard input is empty. Standard output and standard error go to the stage's log. The
// environment is the worker's, without GODAGS_KEY, REDIS_URL and GODAGS_SECRET_*. The pipeline's
// env, the stage's env and its secrets follow in this order, and then
//
//	GODAGS_RUN, GODAGS_PIPELINE, GODAGS_STAGE   ID of the run, names of pipeline and stage
//	GODAGS_ATTEMPT                              1 for the first attempt
//	GODAGS_INPUTS                               folder with a file for each dependency that has an
//	                                            output, named like the stage; see below for parts
//	GODAGS_OUTPUT                               path of a file: its content, up to 64 MiB, is the
//	                                            stage's output if the command succeeds
//	GODAGS_PARAM_<NAME>                         a parameter of the run, its name in upper case: a
//	                                            string without quotes, anything else as JSON
//	GODAGS_SCRATCH                              an empty folder, removed after the attempt
//	GODAGS_ITEM, GODAGS_INDEX                   of an instance its element, in the same form, and
//	                                            its number, 0 for the first
//	GODAGS_ITEM_<NAME>                          a member of an element that is an object, its name
//	                                            in upper case, in the same form
//
// The outputs of the instances of a stage, or of the cells of a matrix, are one JSON array. If one
// of them is neither JSON nor text, they are a folder of files.
//
// A run of more than 128 KiB is passed to the shell as a file. One variable, or one argument, can
// have 128 KiB.
//
// When the context is done, the session gets SIGTERM, and SIGKILL after the grace, or at once when
// the attempt is revoked. When the command ends, processes that it leaves running have a second to
// end by themselves. Then they get SIGTERM, and SIGKILL a second later. If one of them was still
// writing the output, the attempt has failed. On systems other than Linux, only the process group
// of the command is followed in this way.
//
// If there is an sh, the session is also killed when the worker is killed. A process that makes a
// new session is not followed; its output is no longer captured soon after the command has ended.
//
// The program runs as the user of the worker, or as [Stage].User with that user's HOME, USER and
// LOGNAME. The folder of inputs and output then belongs to that user.
//
// On Windows only the program itself is killed, and at once.
//
// A program that cannot be started is [ErrNoRetry]. If the worker cannot start any program, the
// error is [ErrWorker]. A command that fails is an [*ExitError].
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
	params, err := parseCommand(s.Params)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	w, err := command.NewWorkspace(s.Log)
	if err != nil {
		return err
	}

	// The outcome stands even if the workspace cannot be removed: the command has had its effects,
	// and another attempt would repeat them.
	err = c.execute(ctx, params, w, s)
	if removeErr := w.Remove(); removeErr != nil {
		fmt.Fprintf(s.Log, "godags: %v\n", removeErr)
	}
	return err
}

func (c Command) execute(ctx context.Context, params commandParams, w *command.Workspace, s *Stage) error {
	if err := writeInputs(ctx, w, s); err != nil {
		return err
	}

	argv := params.argv
	if params.script != "" {
		read, err := w.WriteScript(params.script)
		if err != nil {
			return fmt.Errorf("run as a file: %w", err)
		}
		argv = append(argv, read)
	}

	p := command.Program{
		Argv: argv, Dir: params.dir, Env: commandEnv(os.Environ(), params, s, w),
		User: s.User, Grace: c.Grace, Revoked: s.Revoked,
	}
	if p.Grace == 0 {
		p.Grace = DefaultGrace
	}

	err := p.Run(ctx, w, s.Log)
	if exit, ok := errors.AsType[*ExitError](err); ok {
		if why := p.ExplainExit(exit); why != "" {
			err = fmt.Errorf("%w: %s", err, why)
		}
		if slices.Contains(params.noRetryCodes, exit.Code) {
			err = NoRetry(err)
		}
	}

	if err != nil {
		return err
	}

	return readOutput(w, s)
}

// rawHeader is the first line of a value that package cache stores with its codec "raw". The bytes
// themselves follow. It is repeated here because package tasks must not import cache.
const rawHeader = "raw\n"

// readOutput makes the output file of the command the output of s. No file means no output.
func readOutput(w *command.Workspace, s *Stage) error {
	value, err := w.AppendOutput([]byte(rawHeader), s.User)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}

	s.Values.SetOutput(value)
	return nil
}
