package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/picture"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

func defineTimeline(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "timeline", Usage: "draw when the stages of a run waited and were executed", ArgsUsage: "[RUN]",
		Description: readRunHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.StringFlag{Name: "svg", Usage: "write an SVG to `FILE` in one step; - is standard output"},
			&ucli.BoolFlag{Name: "full", Usage: "draw a row for every stage, however many there are"},
			&ucli.StringFlag{Name: "output", Value: "text", Usage: "print the timeline as `FORMAT`: text, svg"}, colorFlag()},
		Action: p.action(showTimeline),
	}
}

func showTimeline(i invocation) error {
	o, err := parseTimelineOptions(i.c)
	if err != nil {
		return err
	}

	colours, err := i.colours()
	if err != nil {
		return err
	}

	return i.readRun(1, func(ctx context.Context, service *runs.Service, found runs.Summary, _ *bufio.Writer) error {
		run, line, err := service.Timeline(ctx, found.ID)
		if err != nil {
			return err
		}

		t := timelineOf(run, line, run.StateName(found.State), time.Now())
		t.Full = i.c.Bool("full")
		return i.write(o, func(w io.Writer, width int) error {
			t.Width = width
			t.Colours = colours && o.path == ""
			return picture.DrawTimeline(w, t, o.format)
		})
	})
}

// parseTimelineOptions returns the format and the place of a timeline.
func parseTimelineOptions(c *ucli.Context) (o pictureOptions, err error) {
	o.path = c.String("svg")
	if c.IsSet("svg") && o.path == "" {
		return o, usageError("--svg needs a file name")
	}

	switch format := c.String("output"); {
	case format != "text" && format != "svg":
		return o, usageError("--output is text or svg, not %q", format)
	case format == "svg" || c.IsSet("svg"):
		o.format = picture.SVG
	default:
		o.format = picture.ASCII
	}

	if o.path == "-" {
		o.path = ""
	}
	return o, nil
}

// timelineOf returns the rows of a timeline, by the start of the stages.
func timelineOf(run *runstate.Run, line *runstate.Timeline, state string, now time.Time) picture.Timeline {
	took := " for "
	if run.DAG.Finished() {
		took = " after "
	}

	path, _ := run.CriticalPath()
	t := picture.Timeline{
		Title: fmt.Sprintf("%s · run %s · %s%s%s", run.Spec.Name, run.ID, state, took, short(run.Elapsed(now))),
		Notes: timelineNotes(run),
	}

	rows := make(map[dag.StageID]int)
	for _, span := range line.Spans(run, now) {
		k, known := rows[span.Stage]
		if !known {
			k = len(t.Rows)
			rows[span.Stage] = k
			t.Rows = append(t.Rows, picture.Row{
				Name:     run.Name(span.Stage),
				State:    run.DAG.State(span.Stage),
				Label:    timelineLabel(run, span.Stage, now),
				Critical: run.DAG.Finished() && slices.Contains(path, span.Stage),
			})
		}

		t.Length = max(t.Length, span.To)
		bar := picture.Bar{State: span.State, From: span.From, To: span.To, Title: spanTitle(run, span)}
		t.Rows[k].Bars = append(t.Rows[k].Bars, bar)
	}

	return t
}

// timelineNotes says how many stages there are, and in which states those that have no row are.
func timelineNotes(run *runstate.Run) []string {
	notes := []string{count(run.DAG.Total(), "stage", "stages")}
	if run.Retried > 0 {
		notes = append(notes, count(run.Retried, "failed attempt retried", "failed attempts retried"))
	}
	if run.Lost > 0 {
		notes = append(notes, count(run.Lost, "attempt lost with its worker", "attempts lost with their workers"))
	}

	idle := make(map[dag.State]int)
	for s := range run.DAG.Stages() {
		if state := run.DAG.State(s); state != dag.Ready && run.NewestAttempt(s) == 0 {
			idle[state]++
		}
	}
	for _, state := range []dag.State{dag.Skipped, dag.Cancelled, dag.Waiting} {
		if n := idle[state]; n > 0 {
			notes = append(notes, fmt.Sprintf("%d %s without an attempt", n, state))
		}
	}

	return []string{strings.Join(notes, ", ")}
}

// timelineLabel returns what stands after the bar of a stage: how long its last attempt took, and
// what is out of the ordinary.
func timelineLabel(run *runstate.Run, s dag.StageID, now time.Time) string {
	var parts []string
	state := run.DAG.State(s)
	if a, ok := run.Active[s]; ok {
		parts = append(parts, short(max(0, now.Sub(a.Since))))
	} else if d := run.LastDuration(s); d > 0 {
		parts = append(parts, short(d))
	}

	if state != dag.Succeeded {
		parts = append(parts, state.String())
	}
	if n := run.NewestAttempt(s); n > 1 {
		parts = append(parts, fmt.Sprintf("%d attempts", n))
	}
	return strings.Join(parts, " · ")
}

// spanTitle is the tool tip of a bar.
func spanTitle(run *runstate.Run, span runstate.Span) string {
	name := run.Name(span.Stage)
	took := short(span.To - span.From)
	from := run.Submitted.Add(span.From).Local().Format(time.TimeOnly)
	to := run.Submitted.Add(span.To).Local().Format(time.TimeOnly)
	switch span.State {
	case dag.Ready:
		return fmt.Sprintf("%s: waited %s to start, %s to %s", name, took, from, to)
	case dag.Retrying:
		return fmt.Sprintf("%s: waited %s for attempt %d, %s to %s", name, took, span.Attempt, from, to)
	case dag.Running:
		return fmt.Sprintf("%s, attempt %d on %s: running for %s, since %s", name, span.Attempt, span.Worker, took, from)
	}

	ended := span.State.String()
	if span.Lost {
		ended = "lost"
	}

	title := fmt.Sprintf("%s, attempt %d on %s: %s after %s, %s to %s", name, span.Attempt, span.Worker, ended, took, from, to)
	if span.Text != "" {
		title += ": " + span.Text
	}
	return title
}
