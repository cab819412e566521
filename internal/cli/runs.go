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

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
)

func (p Program) runsCommand() *ucli.Command {
	return &ucli.Command{
		Name: "runs", Usage: "list runs, newest first, or remove old ones", ArgsUsage: "[prune]",
		Description: "runs prune removes runs with their journals, logs and values: those whose time is over (run --keep), or, with --older-than or --state,\n" +
			"all that match. A run that goes on is never removed.",
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.IntFlag{Name: "limit", Value: 20, Usage: "list at most `N` runs"},
			&ucli.StringFlag{Name: "state", Usage: "only runs in this `STATE`: running, cancelling, queued, stalled, succeeded, failed, cancelled or damaged"},
			&ucli.StringFlag{Name: "older-than", Usage: "only runs that ended longer than this `TIME` ago, such as 12h or 30d; those that have not ended count from their start"},
			&ucli.BoolFlag{Name: "dry-run", Usage: "with prune: say what would be removed"},
			outFlag(), colorFlag()},
		Action: p.runs,
	}
}

func (p Program) runs(c *ucli.Context) error {
	if word := c.Args().First(); c.NArg() > 1 || word != "" && word != "prune" {
		return usageError("runs takes no arguments but prune, and got %.200q", c.Args().Slice())
	}
	form, err := p.form(c)
	if err != nil {
		return err
	}
	match, err := runFilter(c)
	if err != nil {
		return err
	}
	if c.Args().Present() {
		return p.prune(c, form, match)
	}
	limit := c.Int("limit")
	if limit < 1 {
		return usageError("--limit must be at least 1")
	}
	if c.Bool("dry-run") {
		return usageError("--dry-run is for `%s runs prune`", p.Call)
	}
	return p.read(c, func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		s.Sweep(ctx, "")
		runs, err := s.Journal.Runs(ctx, limit+1, match)
		if err != nil {
			return err
		}
		if len(runs) > limit {
			runs = runs[:limit]
			if !form.json {
				fmt.Fprintf(p.Err, "the newest %d: --limit lists more\n", limit)
			}
		}
		if !form.json && len(runs) == 0 {
			p.explainNoRuns(c, s, match != nil)
			return nil
		}
		return printRuns(out, runs, form)
	})
}

func printRuns(out *bufio.Writer, runs []journal.Summary, form form) error {
	if form.json {
		return printRunsJSON(out, runs, time.Now())
	}
	runTable(runs, time.Now()).print(out, form, "")
	return nil
}

// runStates are the states that a list of runs shows.
var runStates = []string{"running", "cancelling", "queued", "stalled", "succeeded", "failed", "cancelled", "damaged"}

// runFilter is what the flags say of the runs that are meant; nil means all.
func runFilter(c *ucli.Context) (func(journal.Summary) bool, error) {
	state, text := c.String("state"), c.String("older-than")
	if state == "" && text == "" {
		return nil, nil
	}
	if state != "" && !slices.Contains(runStates, state) {
		return nil, usageError("--state: %q is none: use %s", state, strings.Join(runStates, ", "))
	}
	var age time.Duration
	if text != "" {
		var err error
		if age, err = parseAge(text); err != nil {
			return nil, usageError("--older-than: %w", err)
		}
	}
	begin := time.Now().Add(-age)
	return func(s journal.Summary) bool {
		at := s.Finished
		if at.IsZero() {
			at = s.Submitted
		}
		return (state == "" || s.State == state) && at.Before(begin)
	}, nil
}

func (p Program) explainNoRuns(c *ucli.Context, s *engine.Session, filtered bool) {
	if !s.Keeps() {
		fmt.Fprintln(p.Err, errNotKept)
		return
	}
	if filtered {
		fmt.Fprintln(p.Err, "no such runs")
		return
	}
	fmt.Fprintf(p.Err, "no runs yet: start one with `%s`\n", p.hint(c, "run"))
}

func runTable(runs []journal.Summary, now time.Time) table {
	t := table{{"RUN", "PIPELINE", "STATE", "STAGES", "STARTED", "TOOK"}}
	for _, r := range runs {
		took := "-"
		if !isUndriven(r.State) {
			took = short(elapsed(r, now))
		}
		t = append(t, []string{string(r.Run), r.Pipeline, r.State, stageCounts(r), moment(r.Submitted, now), took})
	}
	return t
}

// isUndriven reports whether the state of a run means that no coordinator drives it.
func isUndriven(state string) bool { return state == "stalled" || state == "queued" }

// elapsed returns the time from a run's submission to its end, or until now while it goes on.
func elapsed(r journal.Summary, now time.Time) time.Duration {
	if !r.Finished.IsZero() {
		now = r.Finished
	}
	return max(0, now.Sub(r.Submitted)) // the clocks may differ
}

// stageCounts says how many stages succeeded, of how many, and what became of the others. While a run goes on its
// list entry knows only how many there are.
func stageCounts(r journal.Summary) string {
	if r.Counts == nil {
		return strconv.Itoa(r.Stages)
	}
	text := fmt.Sprintf("%d/%d", r.Counts["succeeded"], r.Stages)
	for _, state := range []string{"failed", "skipped", "cancelled"} {
		if n := r.Counts[state]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, state)
		}
	}
	return text
}

// listedRun is a run in the list for programs. Its names are those of [view.Result].
type listedRun struct {
	Run      journal.RunID  `json:"run"`
	Pipeline string         `json:"pipeline"`
	State    string         `json:"state"`
	Stages   map[string]int `json:"stages"` // only the total while the run goes on
	Started  time.Time      `json:"started"`
	Finished *time.Time     `json:"finished"` // null while the run goes on
	Seconds  float64        `json:"seconds"`  // until now while the run goes on
}

func printRunsJSON(out *bufio.Writer, runs []journal.Summary, now time.Time) error {
	list := make([]listedRun, len(runs))
	for i, r := range runs {
		list[i] = listedRun{r.Run, r.Pipeline, r.State, map[string]int{"total": r.Stages}, r.Submitted.UTC(), nil, elapsed(r, now).Seconds()}
		for state, n := range r.Counts {
			list[i].Stages[state] = n
		}
		if !r.Finished.IsZero() {
			at := r.Finished.UTC()
			list[i].Finished = &at
		}
	}
	return printJSON(out, list)
}
