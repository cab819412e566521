package cli

import (
	"context"
	"log/slog"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
)

// invocation is one execution of a command: the program, and the command line that was parsed.
type invocation struct {
	Program
	c *ucli.Context
}

// action returns the form in which urfave/cli calls a command.
func (p Program) action(run func(invocation) error) ucli.ActionFunc {
	return func(c *ucli.Context) error { return run(invocation{p, c}) }
}

// noArguments is for commands that take flags only.
func (i invocation) noArguments() error {
	if i.c.Args().Present() {
		return usageError("%s takes no arguments, but got %.200q", i.c.Command.Name, i.c.Args().Slice())
	}
	return nil
}

// home returns the state folder: the flag --home, or else the default.
func (i invocation) home() string {
	if home := i.c.String("home"); home != "" {
		return home
	}
	return engine.Home()
}

// asJSON reports whether the result is printed as JSON.
func (i invocation) asJSON() (bool, error) {
	switch format := i.c.String("output"); format {
	case "json":
		return true, nil
	// Commands without the flag --output have the empty value.
	case "text", "":
		return false, nil
	default:
		return false, usageError("--output is text or json, not %q", format)
	}
}

// connect opens the Redis that the flags name. The caller closes the session. A command that needs
// many connections at once gives their number; 0 means the default.
func (i invocation) connect(ctx context.Context, logger *slog.Logger, connections int) (*engine.Session, error) {
	// Commands that only read need the caches too: outputs may be stored in them.
	registry, caches, err := engine.Collect(i.Pipelines...)
	if err != nil {
		return nil, err
	}

	return engine.Open(ctx, engine.Config{
		Redis: i.c.String("redis"), Home: i.home(), Registry: registry, Caches: caches,
		Logger: logger, Connections: connections,
	})
}
