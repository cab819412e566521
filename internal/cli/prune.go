package cli

import (
	"bufio"
	"context"
	"fmt"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

// remove removes the runs that the flags select; without flags those that have expired.
func remove(ctx context.Context, service *runs.Service, filter runs.Filter, dryRun bool) ([]runs.Summary, error) {
	if filter == (runs.Filter{}) {
		return service.PruneExpired(ctx, dryRun)
	}
	return service.Prune(ctx, filter, dryRun)
}

// prune removes the runs that match, or without a filter those that have expired.
func (i invocation) prune(form form, filter runs.Filter) error {
	c := i.c
	// Which runs a limit would leave out is not clear to a user who wants to remove them.
	if c.IsSet("limit") {
		return usageError("--limit is for the list: prune removes all runs that match")
	}

	if state := c.String("state"); state == api.Running || state == api.Cancelling {
		return usageError("an active run is not removed: stop it first with %s", i.hint("cancel", []string{"RUN"}))
	}

	return i.read(func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		dryRun := c.Bool("dry-run")
		removed, err := remove(ctx, runs.New(s), filter, dryRun)
		if err != nil {
			return err
		}

		// A program gets an empty list, and a person no table without rows.
		if form.json || len(removed) > 0 {
			err = printRuns(out, removed, form)
		}

		verb := "removed"
		if dryRun {
			verb = "would be removed"
		}

		fmt.Fprintf(i.Err, "%s %s\n", count(len(removed), "run", "runs"), verb)
		return err
	})
}
