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

func defineCancel(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "cancel", Aliases: []string{"stop"}, Usage: "cancel a run: start no more stages, and ask running stages to stop", ArgsUsage: "RUN",
		Description: runHelp + "\nCancelling a finished run has no effect and is not an error.",
		Flags:       []ucli.Flag{redisFlag(), homeFlag()},
		Action:      p.action(cancel),
	}
}

func cancel(i invocation) error {
	return i.readRun(1, func(ctx context.Context, s *runs.Service, found runs.Summary, out *bufio.Writer) error {
		run, err := s.Cancel(ctx, found.ID, "cancelled by "+whoAmI())
		if err != nil {
			return err
		}

		// The request has been recorded at this point. The state decides who acts on it.
		id := []string{string(run.ID)}
		switch {
		case !run.Finished.IsZero():
			fmt.Fprintf(out, "run %s has already finished: it %s\n", run.ID, finishedState(run.State))
		// Nothing happens until a coordinator takes the run, so the user must be told how to get
		// one.
		case !api.HasCoordinator(run.State):
			fmt.Fprintf(out, "run %s: the request is recorded, but no coordinator owns the run; %s finishes it\n",
				run.ID, i.hint("resume", id))
		default:
			fmt.Fprintf(out, "run %s is being cancelled: no more stages are started, and running stages are asked to stop; see %s\n",
				run.ID, i.hint("status", id))
		}

		return nil
	})
}

// finishedState returns the state of a finished run as the verb of a sentence.
func finishedState(state string) string {
	if state == "cancelled" {
		return "was cancelled"
	}
	return state
}

// whoAmI returns user@host, for the journal of the run.
func whoAmI() string {
	// In a container neither may be known: a request to cancel must not fail because of that.
	name := "unknown"
	host := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}

	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
