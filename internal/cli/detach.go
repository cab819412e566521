package cli

import (
	"bufio"
	"context"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

// foreground are the flags of run that say how the command itself drives the run.
var foreground = []string{"concurrency", "workers", "grace", "batch", "no-fuse", "no-worker-timeout"}

// detach submits a run and leaves it to a coordinator that serves.
func (p Program) detach(c *ucli.Context, flags runFlags) error {
	for _, name := range foreground {
		if c.IsSet(name) {
			return usageError("--%s is for a run that this command drives itself: leave it out, or --detach", name)
		}
	}

	if c.String("redis") == "" {
		return usageError("--detach needs a Redis that goes on without this command: give --redis URL or REDIS_URL, and start %s there", p.hint(c, "serve", nil))
	}

	return p.read(c, func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		id, err := s.Submit(ctx, flags.options)
		if err != nil {
			return p.explainStart(c, flags.options.ID, err)
		}

		served, err := s.Served(ctx)
		if err != nil {
			return err
		}

		fmt.Fprintf(p.Err, "submitted; follow it with %s\n", p.hint(c, "attach", []string{string(id)}))
		if !served {
			fmt.Fprintf(p.Err, "no coordinator serves this Redis: the run waits until one does; start it with %s\n", p.hint(c, "serve", nil))
		}
		return printSubmitted(out, id, flags)
	})
}

func printSubmitted(out *bufio.Writer, id runs.ID, flags runFlags) error {
	if !flags.json {
		fmt.Fprintln(out, id)
		return nil
	}
	return printJSON(out, struct {
		Run      runs.ID `json:"run"`
		Pipeline string  `json:"pipeline"`
	}{id, flags.options.Spec.Name})
}
