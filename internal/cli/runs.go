package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

func defineRuns(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "runs", Aliases: []string{"ls", "list", "ps"}, Usage: "list runs, newest first, or remove old ones", ArgsUsage: "[prune]",
		Description: "runs prune removes runs with their journals, logs and values: those that have expired (run --keep), or with --older-than, --state or\n" +
			"--pipeline those that match. An active run is never removed.",
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.IntFlag{Name: "limit", Value: 20, Usage: "list at most `N` runs"},
			&ucli.StringFlag{Name: "state", Usage: "select runs in `STATE`: running, cancelling, queued, stalled, succeeded, failed, cancelled, damaged or newer"},
			&ucli.StringFlag{Name: "pipeline", Usage: "select runs of the pipeline `NAME`"},
			&ucli.StringFlag{Name: "older-than", Usage: "select runs that finished longer than `TIME` ago, such as 12h or 30d; unfinished runs count from their start"},
			&ucli.BoolFlag{Name: "dry-run", Usage: "with prune: list what would be removed"},
			outFlag(), colorFlag()},
		Action: p.action(showRuns),
	}
}

func showRuns(i invocation) error {
	c := i.c
	if word := c.Args().First(); c.NArg() > 1 || word != "" && word != "prune" {
		return usageError("runs takes no argument but prune, and got %.200q", c.Args().Slice())
	}

	form, err := i.form()
	if err != nil {
		return err
	}

	filter, err := runFilter(c)
	if err != nil {
		return err
	}
	if c.Args().Present() {
		return i.prune(form, filter)
	}
	// A filter takes 0 for all runs, and a Redis may keep very many.
	if filter.Limit = c.Int("limit"); filter.Limit < 1 {
		return usageError("--limit must be at least 1")
	}
	if c.Bool("dry-run") {
		return usageError("--dry-run is for %s", i.hint("runs", []string{"prune"}))
	}

	return i.read(func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		list, more, err := runs.New(s).List(ctx, filter)
		if err != nil {
			return err
		}

		// Programs that need all runs give a limit. A line on standard error is for people.
		if more && !form.json {
			fmt.Fprintf(i.Err, "the newest %d: --limit lists more\n", filter.Limit)
		}

		// A table without rows does not say why it has none.
		if len(list) == 0 && !form.json {
			i.explainNoRuns(s, filter.Selects())
			return nil
		}

		return printRuns(out, list, form)
	})
}

func printRuns(out *bufio.Writer, list []runs.Summary, form form) error {
	now := time.Now()
	if !form.json {
		runTable(list, now).print(out, form, "")
		return nil
	}

	// Never nil: an empty list is [] in JSON, and not null.
	forms := make([]api.Run, len(list))
	for i, r := range list {
		forms[i] = r.API(now)
	}
	return printJSON(out, forms)
}

// runFilter checks the flags that select runs.
func runFilter(c *ucli.Context) (f runs.Filter, err error) {
	// An unset shell variable must not select the runs of all pipelines, least of all for prune.
	if f.Pipeline = c.String("pipeline"); f.Pipeline == "" && c.IsSet("pipeline") {
		return f, usageError("--pipeline is an empty text: give the name of a pipeline")
	}

	f.State = c.String("state")
	if f.State != "" && !slices.Contains(api.RunStates(), f.State) {
		return f, usageError("--state: unknown state %q: use %s", f.State, strings.Join(api.RunStates(), ", "))
	}

	if text := c.String("older-than"); text != "" {
		age, err := parseAge(text)
		if err != nil {
			return f, usageError("--older-than: %w", err)
		}
		// A pointer, because an age of 0 is valid and selects every run.
		f.Age = &age
	}

	return f, nil
}

func (i invocation) explainNoRuns(s *engine.Session, filtered bool) {
	switch {
	case !s.Keeps():
		fmt.Fprintln(i.Err, runs.ErrNotKept)
	case filtered:
		fmt.Fprintln(i.Err, "no such runs")
	default:
		fmt.Fprintf(i.Err, "no runs yet: start one with %s\n", i.hint("run", nil))
	}
}

func runTable(list []runs.Summary, now time.Time) table {
	t := table{{"RUN", "PIPELINE", "STATE", "STAGES", "STARTED", "TOOK"}}
	for _, r := range list {
		took := "-"
		// The time since the submission of a run that waits would look like work.
		if api.HasCoordinator(r.State) {
			took = short(r.Elapsed(now))
		}
		t = append(t, []string{string(r.ID), r.Pipeline, r.State, stageCounts(r), moment(r.Submitted, now), took})
	}

	return t
}

// stageCounts returns the outcomes of the stages of a run, such as "3/5, 1 failed, 1 skipped". The
// list has outcomes of finished runs only: for others it is the number of stages.
func stageCounts(r runs.Summary) string {
	if r.Outcomes == nil {
		return strconv.Itoa(r.Stages)
	}

	text := fmt.Sprintf("%d/%d", r.Outcomes.Succeeded, r.Stages)
	for _, o := range []struct {
		n    int
		word string
	}{{r.Outcomes.Failed, "failed"}, {r.Outcomes.Skipped, "skipped"}, {r.Outcomes.Cancelled, "cancelled"}} {
		if o.n > 0 {
			text += fmt.Sprintf(", %d %s", o.n, o.word)
		}
	}

	return text
}
