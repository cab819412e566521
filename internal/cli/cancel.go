package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/user"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/runs"
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
	return p.readRun(c, 1, func(ctx context.Context, s *runs.Service, found runs.Summary, out *bufio.Writer) error {
		run, err := s.Cancel(ctx, found.ID, "cancelled by "+whoAmI())
		if err != nil {
			return err
		}

		switch {
		case !run.Finished.IsZero():
			fmt.Fprintf(out, "run %s has ended already: it %s\n", run.ID, ended(run.State))
		case !api.HasCoordinator(run.State):
			fmt.Fprintf(out, "run %s: the request is recorded, but no coordinator owns the run; %s finishes it\n",
				run.ID, p.hint(c, "resume", []string{string(run.ID)}))
		default:
			fmt.Fprintf(out, "run %s is being cancelled: nothing more is started, and running stages are asked to stop; see %s\n",
				run.ID, p.hint(c, "status", []string{string(run.ID)}))
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
	name := "somebody"
	host := "somewhere"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}

	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
