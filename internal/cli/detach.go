package cli

import (
	"bufio"
	"context"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

// foregroundOnly are the flags of run that have no effect on a run with another coordinator.
var foregroundOnly = []string{"concurrency", "workers", "grace", "batch", "no-fuse", "no-worker-timeout"}

// detach submits a run to a coordinator that serves.
func (f *foreground) detach() error {
	if err := f.checkDetach(f.c); err != nil {
		return err
	}

	return f.read(func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		id, err := s.Submit(ctx, f.options)
		if err != nil {
			return f.explainStart(err)
		}

		// After the submission, so that the answer is about the moment in which the run waits.
		served, err := s.Served(ctx)
		if err != nil {
			return err
		}

		// On standard error: standard output has the ID only.
		fmt.Fprintf(f.Err, "submitted; follow it with %s\n", f.hint("attach", []string{string(id)}))

		// Not an error: the coordinator may be started later, and finds the run then.
		if !served {
			fmt.Fprintf(f.Err, "no coordinator serves this Redis, so the run waits: start one with %s\n", f.hint("serve", nil))
		}
		return f.printSubmitted(out, id)
	})
}

func (f *foreground) checkDetach(c *ucli.Context) error {
	// Silently ignored, such a flag would look as if the coordinator obeyed it.
	for _, name := range foregroundOnly {
		if c.IsSet(name) {
			return usageError("--%s has no effect on a detached run: omit it, or --detach", name)
		}
	}

	// A private Redis stops with its last user, which may be this command.
	if c.String("redis") == "" {
		return usageError("--detach needs a Redis that outlives this command: give --redis URL or REDIS_URL, and start %s there", f.hint("serve", nil))
	}
	return nil
}

func (f *foreground) printSubmitted(out *bufio.Writer, id runs.ID) error {
	if !f.json {
		// The ID alone, so that a script can capture it.
		fmt.Fprintln(out, id)
		return nil
	}
	return printJSON(out, struct {
		Run      runs.ID `json:"run"`
		Pipeline string  `json:"pipeline"`
	}{id, f.options.Spec.Name})
}
