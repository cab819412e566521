package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/progress"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// Limits of lists in text, so that a status fits on a screen. JSON has everything.
const (
	shownActive   = 20
	shownFailures = 10
	shownReasons  = 10
	shownNames    = runstate.GroupNames
	shownLogLines = 10
)

// statusText prints a status for people.
type statusText struct {
	*runs.Status
	out *bufio.Writer
	form
	invocation invocation
	service    *runs.Service
}

// print prints all sections, and with all a list of every stage.
func (t *statusText) print(ctx context.Context, all bool) error {
	t.printHead()
	t.printOwner()
	groups := t.Groups()
	for _, g := range groups {
		if g.Blocked {
			t.printBlocked(g)
		}
	}

	t.printActive()
	t.printReady(groups)
	t.printRetrying()
	if err := t.printFailures(ctx); err != nil {
		return err
	}

	t.printSkipped()
	if all {
		t.printStages()
	}

	// While a run is active, no next step is certain to be right.
	if t.Run.DAG.Finished() {
		printHints(t.out, t.invocation.nextSteps(t.service, t.Run))
	}
	return nil
}

// printOwner says what to do about a run without a coordinator.
func (t *statusText) printOwner() {
	resume := t.invocation.hint("resume", []string{string(t.ID)})
	switch t.State {
	case api.Queued:
		fmt.Fprintf(t.out, "\nNo coordinator has taken this run yet: start one with %s, or run it here with %s.\n",
			t.invocation.hint("serve", nil), resume)
	case api.Stalled:
		fmt.Fprintf(t.out, "\nThe coordinator of this run is dead; the last entry of its journal is from %s.\nResume the run with %s.\n",
			moment(t.Last, t.Now), resume)
	}
}

// printBlocked says what to do about stages that no live worker can run.
func (t *statusText) printBlocked(g runstate.Group) {
	text := printable(g.String())
	if remedy := t.invocation.remedy(t.service.Redis().External, g); remedy != "" {
		text += "; " + remedy
	}
	fmt.Fprintf(t.out, "\n%s\n", text)
}

// printHints prints the next steps.
func printHints(out *bufio.Writer, hints []progress.Hint) {
	for i, hint := range hints {
		if i == 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(out, "%-13s  %s\n", hint.What+":", printable(hint.Command))
	}
}

func (t *statusText) printHead() {
	took := " for " + short(t.Elapsed(t.Now))
	switch {
	case t.Run.DAG.Finished():
		took = " after " + short(t.Elapsed(t.Now))
	case !api.HasCoordinator(t.State):
		took = "" // the time since the submission would look like work
	}

	say := func(label, text string) { t.paragraph(t.out, term.Pad(label, 10), strings.Repeat(" ", 10), text) }
	say("run", string(t.ID))
	say("pipeline", printable(t.Spec.Name))
	if t.TimeLimit > 0 && t.State != dag.Succeeded.String() {
		took += ": timed out after " + t.TimeLimit.String()
	}

	say("state", t.state(t.State)+took)
	say("stages", t.counts())
	say("started", fmt.Sprintf("%s (%s)", t.Submitted.Local().Format(time.DateTime), moment(t.Submitted, t.Now)))
	if len(t.Spec.Params) > 0 {
		say("params", paramTexts(t.Spec.Params))
	}

	say("values", printable(t.Values()))
	if !t.Summary.Expires.IsZero() {
		say("kept", "until "+t.Summary.Expires.Local().Format(time.DateTime))
	}

	say("redis", t.service.Redis().Note)
}

// counts returns the number of stages in each state.
func (t *statusText) counts() string {
	var parts []string
	for _, state := range []dag.State{dag.Succeeded, dag.Failed, dag.Skipped, dag.Cancelled, dag.Running, dag.Retrying, dag.Ready, dag.Waiting} {
		if n := t.Run.DAG.Count(state); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}

	if t.Retried > 0 {
		parts = append(parts, count(t.Retried, "failed attempt retried", "failed attempts retried"))
	}

	if t.Lost > 0 {
		parts = append(parts, count(t.Lost, "attempt lost with its worker", "attempts lost with their workers"))
	}
	return fmt.Sprintf("%d: %s", t.Run.DAG.Total(), strings.Join(parts, ", "))
}

func (t *statusText) printActive() {
	active := t.ActiveStages()
	if len(active) == 0 {
		return
	}

	rows := table{{"STAGE", "ATTEMPT", "WORKER", "FOR"}}
	for _, s := range active[:min(len(active), shownActive)] {
		a := t.Active[s]
		worker := a.Worker
		if !t.Alive(worker) {
			// The stage is not lost yet: its worker may answer before the coordinator gives it up.
			worker += " (silent)"
		}
		rows = append(rows, []string{t.Name(s), fmt.Sprint(a.Attempt), worker, short(max(0, t.Now.Sub(a.Since)))})
	}

	fmt.Fprintf(t.out, "\n%s\n", t.state("running"))
	rows.print(t.out, t.form, "  ")
	more(t.out, len(active)-shownActive)
}

// more says how many elements of a list are not shown.
func more(out *bufio.Writer, n int) {
	if n > 0 {
		fmt.Fprintf(out, "  ... and %d more\n", n)
	}
}

func (t *statusText) printFailures(ctx context.Context) error {
	if len(t.Failures) == 0 {
		return nil
	}

	fmt.Fprintf(t.out, "\n%s\n", t.state("failed"))
	for _, failed := range t.Failures[:min(len(t.Failures), shownFailures)] {
		// Only for the failures that are shown: a log may have 64 KiB.
		log, err := t.service.Log(ctx, t.ID, failed.Stage, failed.Attempt)
		if err != nil {
			return err
		}

		where := fmt.Sprintf("attempt %d", failed.Attempt)
		if failed.Worker != "" { // or else the coordinator decided it
			where += ", " + printable(failed.Worker)
		}

		t.paragraph(t.out, "  ", "    ", fmt.Sprintf("%s (%s): %s", t.Name(failed.Stage), where, printable(failed.Text)))
		for _, line := range tail(log, shownLogLines) {
			t.paragraph(t.out, "    | ", "    | ", line)
		}
	}

	more(t.out, len(t.Failures)-shownFailures)
	return nil
}

// printSkipped lists the skipped stages by cause.
func (t *statusText) printSkipped() {
	if t.Run.DAG.Count(dag.Skipped) == 0 {
		return
	}

	// By reason: one failure may skip thousands of stages.
	skipped := make(map[string][]dag.StageID)
	var reasons []string
	for s := range t.Run.DAG.Stages() {
		if t.Run.DAG.State(s) == dag.Skipped {
			why := t.WhySkipped(s)
			if skipped[why] == nil {
				reasons = append(reasons, why)
			}
			skipped[why] = append(skipped[why], s)
		}
	}

	fmt.Fprintf(t.out, "\n%s\n", t.state("skipped"))
	t.printGroups(reasons, skipped)
}

// printReady lists the stages that are ready and not running, by reason.
func (t *statusText) printReady(groups []runstate.Group) {
	// Without a coordinator all groups have the same reason, which printOwner has given.
	if len(groups) == 0 || !api.HasCoordinator(t.State) {
		return
	}

	fmt.Fprintf(t.out, "\n%s\n", t.state("ready"))
	for _, g := range groups[:min(len(groups), shownReasons)] {
		t.printGroup(g.Reason.Text, g.First, g.Stages)
	}
	more(t.out, len(groups)-shownReasons)
}

// printGroups prints a line for each reason, and the number of reasons that it omits.
func (t *statusText) printGroups(reasons []string, stages map[string][]dag.StageID) {
	for _, why := range reasons[:min(len(reasons), shownReasons)] {
		t.printGroup(why, stages[why], len(stages[why]))
	}
	more(t.out, len(reasons)-shownReasons)
}

// printGroup prints a line such as "no live worker listens on queue gpu: train, test, 12 more".
func (t *statusText) printGroup(why string, first []dag.StageID, stages int) {
	names := make([]string, 0, shownNames+1)
	for _, s := range first[:min(len(first), shownNames)] {
		names = append(names, t.Name(s))
	}

	if n := stages - len(names); n > 0 {
		names = append(names, fmt.Sprintf("%d more", n))
	}

	t.paragraph(t.out, "  ", "    ", printable(why)+": "+strings.Join(names, ", "))
}

// printRetrying lists the stages that wait for their next attempt.
func (t *statusText) printRetrying() {
	if len(t.Retrying) == 0 {
		return
	}

	stages := slices.SortedFunc(maps.Keys(t.Retrying), func(a, b dag.StageID) int {
		return cmp.Or(t.Retrying[a].Due.Compare(t.Retrying[b].Due), cmp.Compare(a, b))
	})
	rows := table{{"STAGE", "NEXT ATTEMPT", "IN", "BECAUSE"}}
	for _, s := range stages[:min(len(stages), shownActive)] {
		p := t.Retrying[s]
		why, _, _ := strings.Cut(printable(p.Text), "\n")
		rows = append(rows, []string{t.Name(s), fmt.Sprint(p.Attempt), short(max(0, p.Due.Sub(t.Now))), why})
	}

	fmt.Fprintf(t.out, "\n%s\n", t.state("retrying"))
	rows.print(t.out, t.form, "  ")
	more(t.out, len(stages)-shownActive)
}

// printStages lists all stages in the order of their definition, each after its instances.
func (t *statusText) printStages() {
	most := 60
	width := len("STAGE") // columns for names
	if t.width > 0 {
		most = min(most, max(leastColumn, min(t.width/3, t.width-len("  succeeded  ATTEMPT       TOOK"))))
	}

	// A first pass finds the width, so that no row has to be kept.
	for s := range t.Run.DAG.Stages() {
		width = max(width, min(most, term.Width(t.Name(s))))
	}

	t.out.WriteByte('\n')
	t.stageRow(t.out, width, "STAGE", "STATE", "ATTEMPT", "TOOK", "LAST LINE")
	for s := range dag.StageID(t.Spec.Graph.Len()) {
		for s := range t.WithInstances(s) {
			t.printStage(s, width)
		}
	}
}

func (t *statusText) printStage(s dag.StageID, width int) {
	state := t.Run.DAG.State(s)
	attempt := "-"
	took := "-"
	// An instance of a reopened run continues the numbers of the one that it replaces.
	if n := t.NewestAttempt(s); n >= t.FirstAttempt(s) {
		attempt = strconv.Itoa(int(n))
	}

	if d := t.LastDuration(s); d > 0 && state.Terminal() {
		took = short(d)
	}

	name := t.Name(s)
	if t.width > 0 {
		name = term.Shorten(name, width)
	}

	note := t.Notes[s]
	if reason, ok := t.Reasons.Reason(s); ok {
		note = reason.Text
	}

	t.stageRow(t.out, width, name, state.String(), attempt, took, printable(note))
}

// stageRow prints a line of the list of stages. The list is not a [table], which must hold all rows
// to know the widths of its columns: a run may have a million stages.
func (f form) stageRow(out *bufio.Writer, width int, name, state, attempt, took, note string) {
	name = term.Pad(name, width)
	// Padded by hand, since a colour has bytes and no width. No state is longer than succeeded.
	padding := strings.Repeat(" ", len(dag.Succeeded.String())-len(state))
	rest := fmt.Sprintf("%s  %7s  %9s", padding, attempt, took)
	if f.width > 0 {
		note = term.Truncate(note, f.width-term.Width(name)-2-len(state)-len(rest)-2)
	}

	if note != "" {
		rest += "  " + note
	}

	out.WriteString(name + "  " + f.state(state) + rest + "\n")
}
