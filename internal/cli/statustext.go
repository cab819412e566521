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

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/cells"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/progress"
)

// What text shows of lists that may be long.
const (
	shownActive   = 20
	shownFailures = 10
	shownReasons  = 10
	shownNames    = 3
	shownLogLines = 10
)

func (p Program) printStatus(ctx context.Context, c *ucli.Context, s *engine.Session, r *runStatus, out *bufio.Writer, f form, all bool) error {
	r.printHead(s, out, f)
	if r.word == "queued" {
		fmt.Fprintf(out, "\nNo coordinator has taken this run yet: start one with `%s`, or drive it with `%s`.\n",
			p.hint(c, "serve"), p.hint(c, "resume", string(r.ID)))
	}
	if r.word == "stalled" {
		fmt.Fprintf(out, "\nNobody drives this run: its coordinator is gone, and the last that is known of it is from %s.\n`%s` goes on with it.\n",
			moment(r.Last, r.now), p.hint(c, "resume", string(r.ID)))
	}
	for _, q := range slices.Sorted(maps.Keys(r.unserved)) {
		waiting := count(r.unserved[q], "stage waits", "stages wait")
		if why := r.unhealthy[q]; why != "" {
			fmt.Fprintf(out, "\n%s for queue %s, but no live worker there can execute stages: %s\n", waiting, printable(q), printable(why))
			continue
		}
		if r.strange[q] {
			fmt.Fprintf(out, "\n%s for queue %s, but the live workers there have another key than this run: set the same GODAGS_KEY for all (`%s` lists them)\n",
				waiting, printable(q), printable(p.hint(c, "workers")))
			continue
		}
		if !s.External() { // where nobody can start a worker: the run has its own, and is resumed once they are gone
			continue
		}
		fmt.Fprintf(out, "\n%s for queue %s, but no live worker listens there: start one with `%s`\n",
			waiting, printable(q), printable(p.startWorker(c, q)))
	}
	for _, l := range r.lacks() {
		fmt.Fprintf(out, "\n%s for queue %s, but no live worker there has the handler %s: start one of that program (`%s` lists them)\n",
			count(r.lacking[l], "stage waits", "stages wait"), printable(l.queue), printable(l.task), printable(p.hint(c, "workers")))
	}
	r.printActive(out, f)
	r.printRetrying(out, f)
	if err := r.printFailures(ctx, s, out, f); err != nil {
		return err
	}
	r.printSkipped(out, f)
	if all {
		r.printStages(out, f)
	}
	if r.State.Finished() {
		printHints(out, p.nextSteps(c, s, r.Run))
	}
	return nil
}

// printHints says what can be done next.
func printHints(out *bufio.Writer, hints []progress.Hint) {
	for i, hint := range hints {
		if i == 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(out, "%-13s  %s\n", hint.What+":", printable(hint.Command))
	}
}

func (r *runStatus) printHead(s *engine.Session, out *bufio.Writer, f form) {
	took := " for " + short(r.Elapsed(r.now))
	switch {
	case r.State.Finished():
		took = " after " + short(r.Elapsed(r.now))
	case isUndriven(r.word):
		took = ""
	}
	say := func(label, text string) { f.paragraph(out, cells.Pad(label, 10), strings.Repeat(" ", 10), text) }
	say("run", string(r.ID))
	say("pipeline", printable(r.Spec.Name))
	if r.TimeLimit > 0 && r.word != dag.Succeeded.String() {
		took += ": timed out after " + r.TimeLimit.String()
	}
	say("state", f.state(r.word)+took)
	say("stages", r.counts())
	say("started", fmt.Sprintf("%s (%s)", r.Submitted.Local().Format(time.DateTime), moment(r.Submitted, r.now)))
	if len(r.Spec.Params) > 0 {
		say("params", paramTexts(r.Spec.Params))
	}
	say("values", printable(r.values()))
	if !r.expires.IsZero() {
		say("kept", "until "+r.expires.Local().Format(time.DateTime))
	}
	say("redis", s.Conn.Note)
}

// values says where the values of the run are.
func (r *runStatus) values() string {
	if r.Spec.Values == "" {
		return "redis"
	}
	return r.Spec.Values
}

// counts says how many stages are in which state.
func (r *runStatus) counts() string {
	var parts []string
	for _, state := range []dag.State{dag.Succeeded, dag.Failed, dag.Skipped, dag.Cancelled, dag.Running, dag.Retrying, dag.Ready, dag.Waiting} {
		if n := r.State.Count(state); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if r.Retried > 0 {
		parts = append(parts, count(r.Retried, "failed attempt tried again", "failed attempts tried again"))
	}
	if r.Lost > 0 {
		parts = append(parts, count(r.Lost, "attempt lost with its worker", "attempts lost with their workers"))
	}
	return fmt.Sprintf("%d: %s", r.State.Total(), strings.Join(parts, ", "))
}

func (r *runStatus) printActive(out *bufio.Writer, f form) {
	active := r.active()
	if len(active) == 0 {
		return
	}
	t := table{{"STAGE", "ATTEMPT", "WORKER", "FOR"}}
	for _, s := range active[:min(len(active), shownActive)] {
		a := r.Active[s]
		worker := a.Worker
		if !r.alive[worker] {
			worker += " (silent)"
		}
		t = append(t, []string{r.Name(s), fmt.Sprint(a.Attempt), worker, short(max(0, r.now.Sub(a.Since)))})
	}
	fmt.Fprintf(out, "\n%s\n", f.state("running"))
	t.print(out, f, "  ")
	more(out, len(active)-shownActive)
}

// more says that a list has more than was shown.
func more(out *bufio.Writer, n int) {
	if n > 0 {
		fmt.Fprintf(out, "  ... and %d more\n", n)
	}
}

func (r *runStatus) printFailures(ctx context.Context, s *engine.Session, out *bufio.Writer, f form) error {
	if len(r.Failures) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\n%s\n", f.state("failed"))
	for _, failed := range r.Failures[:min(len(r.Failures), shownFailures)] {
		log, err := s.Journal.Log(ctx, r.ID, journal.Attempted{Stage: failed.Stage, Attempt: failed.Attempt})
		if err != nil {
			return err
		}
		where := fmt.Sprintf("attempt %d", failed.Attempt)
		if failed.Worker != "" { // otherwise the coordinator decided it
			where += ", " + printable(failed.Worker)
		}
		f.paragraph(out, "  ", "    ", fmt.Sprintf("%s (%s): %s", r.Name(failed.Stage), where, printable(failed.Text)))
		for _, line := range tail(log, shownLogLines) {
			f.paragraph(out, "    | ", "    | ", line)
		}
	}
	more(out, len(r.Failures)-shownFailures)
	return nil
}

// printSkipped names the stages that are not executed, by cause.
func (r *runStatus) printSkipped(out *bufio.Writer, f form) {
	if r.State.Count(dag.Skipped) == 0 {
		return
	}
	skipped := make(map[string][]dag.StageID)
	var reasons []string
	for s := range r.State.Stages() {
		if r.State.State(s) == dag.Skipped {
			why := r.WhySkipped(s)
			if skipped[why] == nil {
				reasons = append(reasons, why)
			}
			skipped[why] = append(skipped[why], s)
		}
	}
	fmt.Fprintf(out, "\n%s\n", f.state("skipped"))
	for _, why := range reasons[:min(len(reasons), shownReasons)] {
		names := make([]string, 0, shownNames+1)
		for _, s := range skipped[why][:min(len(skipped[why]), shownNames)] {
			names = append(names, r.Name(s))
		}
		if n := len(skipped[why]) - shownNames; n > 0 {
			names = append(names, fmt.Sprintf("%d more", n))
		}
		f.paragraph(out, "  ", "    ", why+": "+strings.Join(names, ", "))
	}
	more(out, len(reasons)-shownReasons)
}

// printRetrying names the stages that wait for their next attempt.
func (r *runStatus) printRetrying(out *bufio.Writer, f form) {
	if len(r.Pauses) == 0 {
		return
	}
	stages := slices.SortedFunc(maps.Keys(r.Pauses), func(a, b dag.StageID) int {
		return cmp.Or(r.Pauses[a].Until.Compare(r.Pauses[b].Until), cmp.Compare(a, b))
	})
	t := table{{"STAGE", "NEXT ATTEMPT", "IN", "BECAUSE"}}
	for _, s := range stages[:min(len(stages), shownActive)] {
		p := r.Pauses[s]
		why, _, _ := strings.Cut(printable(p.Text), "\n")
		t = append(t, []string{r.Name(s), fmt.Sprint(p.Attempt), short(max(0, p.Until.Sub(r.now))), why})
	}
	fmt.Fprintf(out, "\n%s\n", f.state("retrying"))
	t.print(out, f, "  ")
	more(out, len(stages)-shownActive)
}

// printStages lists all stages, in the order in which they were defined, each after its instances.
func (r *runStatus) printStages(out *bufio.Writer, f form) {
	most, width := 60, len("STAGE") // columns for names
	if f.width > 0 {
		most = min(most, max(leastColumn, min(f.width/3, f.width-len("  succeeded  ATTEMPT       TOOK"))))
	}
	for s := range r.State.Stages() {
		width = max(width, min(most, cells.Of(r.Name(s))))
	}
	out.WriteByte('\n')
	f.stageRow(out, width, "STAGE", "STATE", "ATTEMPT", "TOOK", "LAST LINE")
	for s := range dag.StageID(r.Spec.Graph.Len()) {
		for s := range r.Family(s) {
			r.printStage(out, f, s, width)
		}
	}
}

func (r *runStatus) printStage(out *bufio.Writer, f form, s dag.StageID, width int) {
	state, attempt, took := r.State.State(s), "-", "-"
	if n := r.Begun(s); n >= r.First(s) {
		attempt = strconv.Itoa(int(n))
	}
	if d := r.Duration(s); d > 0 && state.Terminal() {
		took = short(d)
	}
	name := r.Name(s)
	if f.width > 0 {
		name = cells.Shorten(name, width)
	}
	f.stageRow(out, width, name, state.String(), attempt, took, printable(r.Notes[s]))
}

// stageRow writes a line of the list of stages, which is not a table because that may be very long.
func (f form) stageRow(out *bufio.Writer, width int, name, state, attempt, took, note string) {
	name = cells.Pad(name, width)
	padding := strings.Repeat(" ", len(dag.Succeeded.String())-len(state))
	rest := fmt.Sprintf("%s  %7s  %9s", padding, attempt, took)
	if f.width > 0 {
		note = cells.Cut(note, f.width-cells.Of(name)-2-len(state)-len(rest)-2)
	}
	if note != "" {
		rest += "  " + note
	}
	out.WriteString(name + "  " + f.state(state) + rest + "\n")
}
