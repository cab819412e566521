// Package cli is the commands: it parses, wires the parts together, and says what happened. Flags
// live here only.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	Call      string // what a person types for it: hints begin with it, so that they can be copied
	Pipelines []engine.Pipeline
	Out, Err  io.Writer
}

// Exit codes, as --help lists them.
const (
	exitOK          = 0
	exitFailed      = 1   // a stage failed
	exitUsage       = 2   // wrong words on the command line, or an invalid pipeline
	exitUnreachable = 3   // no Redis, or it lost the run
	exitCancelled   = 4   // somebody else cancelled the run
	exitTimedOut    = 124 // as of timeout(1)
	exitHungUp      = 129 // SIGHUP
	exitInterrupted = 130 // SIGINT
	exitTerminated  = 143 // SIGTERM
)

// exitError ends a command with a code. The error, if there is one, is still to be shown.
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

// Main runs the command that args (without the program's name) ask for and returns the exit code.
func Main(ctx context.Context, p Program, args []string) int {
	p.Out, p.Err = readable(p.Out, os.Getenv), readable(p.Err, os.Getenv)
	return p.execute(ctx, p.app(), args)
}

func (p Program) execute(ctx context.Context, app *ucli.App, args []string) int {
	if words, ok := completionRequest(args); ok {
		p.complete(app, words)
		return exitOK
	}

	if slices.Equal(args, []string{"--version"}) {
		return p.explain(p.printVersion())
	}

	args, err := arrange(app, args)
	if err == nil {
		if asked, err := p.helpFor(app, args); asked {
			return p.explain(err)
		}
		err = app.RunContext(ctx, append([]string{p.Name}, args...))
	}

	return p.explain(err)
}

func (p Program) app() *ucli.App {
	app := p.base()
	app.Usage = "runs pipelines of stages that depend on each other"
	app.Commands = []*ucli.Command{
		p.runCommand(), p.resumeCommand(), p.retryCommand(), p.attachCommand(), p.serveCommand(), p.workerCommand(),
		p.runsCommand(), p.statusCommand(), p.eventsCommand(), p.logsCommand(), p.cancelCommand(),
		p.graphCommand(), p.validateCommand(), p.schemaCommand(), p.initCommand(), p.workersCommand(), p.doctorCommand(),
		p.completionCommand(), p.versionCommand(),
	}

	for _, c := range app.Commands {
		c.OnUsageError = app.OnUsageError
		c.HideHelpCommand = true // urfave/cli hands neither down
	}

	app.Action = func(c *ucli.Context) error {
		if name := c.Args().First(); name != "" {
			return p.unknownCommand(app, name)
		}
		return p.showHelp(func(h page) { h.app(app) })
	}

	return app
}

// base is what every program of ours has in common.
func (p Program) base() *ucli.App {
	return &ucli.App{
		Name: p.Name, Writer: p.Out, ErrWriter: p.Err, HideVersion: true, HideHelpCommand: true,
		ExitErrHandler: func(*ucli.Context, error) {}, // Main decides
		OnUsageError:   p.wrongFlag,
	}
}

// wrongFlag says which flag may be meant, and where to look up which there are.
func (p Program) wrongFlag(c *ucli.Context, err error, _ bool) error {
	command := ""
	flags := c.App.Flags
	if name := c.Command.Name; name != p.Name {
		command = name
		flags = c.Command.Flags
	}

	help := p.hint(nil, command, nil, "--help")
	unknown, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return usageError("%w: %s lists the flags", err, help)
	}

	var names []string
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}

	meant := ""
	if near := nearest.Name(unknown, names); near != "" {
		meant = fmt.Sprintf(": did you mean --%s?", near)
	}
	return usageError("unknown flag --%.200s%s (%s lists all)", unknown, meant, help)
}

func (p Program) unknownCommand(app *ucli.App, name string) error {
	help := p.hint(nil, "", nil, "--help")
	var names []string
	for _, c := range app.Commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}

	if near := nearest.Name(name, names); near != "" {
		return usageError("unknown command %.200q: did you mean %q? (%s lists all)", name, near, help)
	}
	if i := slices.IndexFunc(p.Pipelines, func(q engine.Pipeline) bool { return q.Spec.Name == name }); i >= 0 {
		return usageError("unknown command %.200q: to run the pipeline, say %s", name, p.hint(nil, "run", []string{name}))
	}

	return usageError("unknown command %.200q: %s lists all", name, help)
}

// explain shows an error and returns the exit code that goes with it.
func (p Program) explain(err error) int {
	if err == nil {
		return exitOK
	}

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

// noArguments is for commands that take flags only.
func noArguments(c *ucli.Context) error {
	if c.Args().Present() {
		return usageError("%s takes no arguments, but got %.200q", c.Command.Name, c.Args().Slice())
	}
	return nil
}

// homeOf returns the folder for state: the flag --home, else the environment's.
func homeOf(c *ucli.Context) string {
	if home := c.String("home"); home != "" {
		return home
	}
	return engine.Home()
}
