// Package cli is the command line: it reads flags, calls the packages that do the work, and prints
// results. Flags are defined here and nowhere else.
//
// A [Program] is what all commands share. Each command has a file with a define function, which
// declares its flags and help, and a function or type that executes it for one [invocation].
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/nearest"
)

// Program is a binary with pipelines in it.
type Program struct {
	Name      string
	Call      string // what a user types to start it; hints begin with it
	Pipelines []engine.Pipeline
	Out, Err  io.Writer
}

// Exit codes, as --help lists them.
const (
	exitOK          = 0
	exitFailed      = 1   // a stage failed
	exitUsage       = 2   // wrong usage, or an invalid pipeline
	exitUnreachable = 3   // Redis is unreachable, or has lost the run
	exitCancelled   = 4   // another process cancelled the run
	exitTimedOut    = 124 // as of timeout(1)
	exitHungUp      = 129 // SIGHUP
	exitInterrupted = 130 // SIGINT
	exitTerminated  = 143 // SIGTERM
)

// exitError ends a command with an exit code. If it has an error, that error is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// Main executes the command that args name and returns the exit code. The args do not include the
// name of the program.
func Main(ctx context.Context, p Program, args []string) int {
	p.Out, p.Err = wrapTerminal(p.Out, os.Getenv), wrapTerminal(p.Err, os.Getenv)
	return p.execute(ctx, p.app(), args)
}

func (p Program) execute(ctx context.Context, app *ucli.App, args []string) int {
	// Before arrange, which would reject the incomplete command lines that completion asks about.
	if words, ok := completionRequest(args); ok {
		p.complete(app, words)
		return exitOK
	}

	// urfave/cli prints only app.Version. This line has the Go version and the platform too.
	if slices.Equal(args, []string{"--version"}) {
		return p.reportError(p.printVersion())
	}

	args, err := arrange(app, helpRequest(app, args))
	if err == nil {
		// urfave/cli would print its own templates, which know no terminal width.
		if asked, err := p.helpFor(app, args); asked {
			return p.reportError(err)
		}
		err = app.RunContext(ctx, append([]string{p.Name}, args...))
	}

	return p.reportError(err)
}

// app returns the program with all its commands.
func (p Program) app() *ucli.App {
	app := p.base()
	app.Usage = "runs pipelines of stages that depend on each other"

	for _, define := range []func(Program) *ucli.Command{
		defineRun, defineResume, defineRetry, defineAttach, defineServe, defineWorker,
		definePipelines, defineRuns, defineStatus, defineEvents, defineLogs, defineCancel,
		defineTimeline, defineGraph, defineValidate, defineSchema, defineInit, defineWorkers, defineDoctor,
		defineCompletion, defineVersion,
	} {
		c := define(p)

		// Commands of urfave/cli do not inherit these two from the app.
		c.OnUsageError = app.OnUsageError
		c.HideHelpCommand = true
		app.Commands = append(app.Commands, c)
	}

	// urfave/cli calls this action if no command matches the first word.
	app.Action = func(c *ucli.Context) error {
		if name := c.Args().First(); name != "" {
			return p.unknownCommand(app, name)
		}
		return p.showHelp(func(h page) { h.app(app) })
	}

	return app
}

// base is what a program has whether it has several commands or is one itself.
func (p Program) base() *ucli.App {
	return &ucli.App{
		Name: p.Name, Writer: p.Out, ErrWriter: p.Err, HideVersion: true, HideHelpCommand: true,
		// The default handler prints the error and exits the process. reportError does both, in one
		// place, for errors from before urfave/cli too.
		ExitErrHandler: func(*ucli.Context, error) {},
		OnUsageError:   p.wrongFlag,
	}
}

// wrongFlag explains a flag that cannot be parsed, and names the flag that was probably meant.
func (p Program) wrongFlag(c *ucli.Context, err error, _ bool) error {
	// Without a command, c.Command is a stand-in with the name of the program.
	command := ""
	flags := c.App.Flags
	if name := c.Command.Name; name != p.Name {
		command = name
		flags = c.Command.Flags
	}

	help := p.hint(command, nil, "--help")

	// urfave/cli has no type for this error, only its text.
	unknown, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return usageError("%w: %s lists the flags", err, help)
	}

	var names []string
	for _, f := range flags {
		// Aliases are single letters: each is near to every short typing error.
		names = append(names, f.Names()[0])
	}

	// A plan without execution is the work of another command.
	if command == "run" && (unknown == "dry-run" || unknown == "check") {
		return usageError("unknown flag --%s: check the pipeline with %s", unknown, p.hint("validate", []string{"FILE"}))
	}

	dashes := "--"
	if len(unknown) == 1 {
		dashes = "-"
	}
	meant := ""
	if near := meantFlag(unknown, names); near != "" {
		meant = fmt.Sprintf(": did you mean %s?", near)
	}
	return usageError("unknown flag %s%.200s%s (%s lists all)", dashes, unknown, meant, help)
}

// otherFlags are flags of other tools, with the ones that do the same here.
var otherFlags = map[string]string{
	"json": "output json", "format": "output json", "quiet": "progress quiet", "q": "progress quiet",
	"p": "param NAME=VALUE", "set": "param NAME=VALUE", "e": "param NAME=VALUE",
	"j": "concurrency", "jobs": "concurrency", "parallel": "concurrency", "cores": "concurrency",
	"c": "concurrency", "n": "limit", "d": "detach", "background": "detach", "w": "workers",
	"tail": "follow", "watch": "follow", "id": "run-id", "name": "run-id", "o": "output json", "a": "limit",
}

// meantFlag returns the flag that was probably meant by an unknown one; "" if that is unclear.
func meantFlag(unknown string, names []string) string {
	// A flag that is known from elsewhere is no misspelling: --watch does not mean --batch.
	if _, known := otherFlags[unknown]; known {
		return sameFlag(unknown, names)
	}

	// Of short words, any two are near to each other.
	if len(unknown) < 2 {
		return ""
	}
	if near := nearest.Name(unknown, names); near != "" {
		return "--" + near
	}

	// A flag of another tool may be misspelled too. Sorted: of equally near ones the first wins.
	return sameFlag(nearest.Name(unknown, slices.Sorted(maps.Keys(otherFlags))), names)
}

// sameFlag returns the flag that does the same as a flag of another tool. It is "" if the command
// has none.
func sameFlag(unknown string, names []string) string {
	same := otherFlags[unknown]
	if name, _, _ := strings.Cut(same, " "); slices.Contains(names, name) {
		return "--" + same
	}
	return ""
}

// helpRequest turns the command help into the flag: "help run" is "run --help".
func helpRequest(app *ucli.App, args []string) []string {
	if len(app.Commands) == 0 || len(args) == 0 || args[0] != "help" {
		return args
	}
	return append(slices.Clone(args[1:]), "--help")
}

func (p Program) unknownCommand(app *ucli.App, name string) error {
	help := p.hint("", nil, "--help")
	var names []string
	for _, c := range app.Commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}

	// Nothing else may be done with one run.
	if slices.Contains([]string{"rm", "delete", "remove"}, name) {
		return usageError("unknown command %.200q: remove old runs with %s", name, p.hint("runs", []string{"prune"}))
	}

	if near := nearest.Name(name, names); near != "" {
		return usageError("unknown command %.200q: did you mean %q? (%s lists all)", name, near, help)
	}

	// A pipeline in place of a command is a common slip, and has one certain remedy.
	if slices.ContainsFunc(p.Pipelines, func(q engine.Pipeline) bool { return q.Spec.Name == name }) {
		return usageError("unknown command %.200q: run the pipeline with %s", name, p.hint("run", []string{name}))
	}

	return usageError("unknown command %.200q: %s lists all", name, help)
}

// reportError prints an error and returns the exit code for it.
func (p Program) reportError(err error) int {
	if err == nil {
		return exitOK
	}

	// An exitError without an error has been explained already: only its code is left.
	code := classify(err)
	shown := err
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		shown = exit.err
	}

	if shown != nil {
		fmt.Fprintf(p.Err, "%s: %s\n", p.Name, printable(shown.Error()))
	}
	return code
}
