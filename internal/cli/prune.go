package cli

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
)

// prune removes the runs that match; without a filter those whose time is over.
func (p Program) prune(c *ucli.Context, form form, match func(journal.Summary) bool) error {
	if c.IsSet("limit") {
		return usageError("--limit is for the list: prune removes all that match")
	}
	if state := c.String("state"); state == "running" || state == "cancelling" {
		return usageError("a run that goes on is not removed: stop it first with `%s`", p.hint(c, "cancel", "RUN"))
	}
	return p.read(c, func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		now := time.Now()
		if _, err := s.Journal.Open(ctx); err != nil { // finds runs whose coordinator died when it had just finished them
			return err
		}
		runs, err := s.Journal.Runs(ctx, math.MaxInt, func(r journal.Summary) bool { return removable(r, match, now) != "" })
		if err != nil {
			return err
		}
		verb := "would be removed"
		if !c.Bool("dry-run") {
			verb = "removed"
			if runs, err = remove(ctx, s, runs, match, now); err != nil {
				return err
			}
			s.Sweep(ctx, "") // what somebody else has begun to remove
		}
		if form.json || len(runs) > 0 {
			err = printRuns(out, runs, form)
		}
		fmt.Fprintf(p.Err, "%s %s\n", count(len(runs), "run", "runs"), verb)
		return err
	})
}

// removable returns the condition under which a run may be removed that was asked for; empty if it may not.
func removable(r journal.Summary, match func(journal.Summary) bool, now time.Time) journal.Condition {
	switch {
	case match == nil && !r.Expires.IsZero() && r.Expires.Before(now):
		return journal.WhenDue
	case match == nil || !match(r):
		return ""
	case !r.Finished.IsZero():
		return journal.WhenEnded
	case isUndriven(r.State) || r.State == "damaged":
		return journal.WhenIdle
	}
	return ""
}

// remove removes runs, and returns those that nobody else was quicker to remove, or to go on with.
func remove(ctx context.Context, s *engine.Session, runs []journal.Summary, match func(journal.Summary) bool, now time.Time) (removed []journal.Summary, err error) {
	for _, r := range runs {
		done, err := s.Remove(ctx, r.Run, removable(r, match, now))
		if err != nil {
			return removed, err
		}
		if done {
			removed = append(removed, r)
		}
	}
	return removed, nil
}
