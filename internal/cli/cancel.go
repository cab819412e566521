package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/user"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
)

func (p Program) cancelCommand() *ucli.Command {
	return &ucli.Command{
		Name: "cancel", Usage: "stop a run: nothing more is started, and running stages are asked to stop", ArgsUsage: "RUN",
		Description: runHelp + "\nA run that has ended already is left as it is, and that is no error.",
		Flags:       []ucli.Flag{redisFlag(), homeFlag()},
		Action:      p.cancel,
	}
}

func (p Program) cancel(c *ucli.Context) error {
	return p.readRun(c, 1, func(ctx context.Context, s *engine.Session, found journal.Summary, out *bufio.Writer) error {
		going, err := s.Journal.RequestCancel(ctx, found.Run, "cancelled by "+whoAmI())
		if err != nil {
			return err
		}
		switch {
		case !going:
			if found, err = s.Journal.Summary(ctx, found.Run); err != nil { // it may have ended just now
				return err
			}
			fmt.Fprintf(out, "run %s has ended already: it %s\n", found.Run, ended(found.State))
		case isUndriven(found.State):
			fmt.Fprintf(out, "run %s: the request is recorded, but nobody drives the run; `%s` brings it to its end\n",
				found.Run, p.hint(c, "resume", string(found.Run)))
		default:
			fmt.Fprintf(out, "run %s is being cancelled: nothing more is started, and running stages are asked to stop; see `%s`\n",
				found.Run, p.hint(c, "status", string(found.Run)))
		}
		return nil
	})
}

// ended is the word for the state of a run that is over, in a sentence.
func ended(state string) string {
	if state == "cancelled" {
		return "was cancelled"
	}
	return state
}

// whoAmI returns user@host, for the journal of the run.
func whoAmI() string {
	name, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
