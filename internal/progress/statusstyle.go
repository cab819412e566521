package progress

import (
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// statusStyle is how a status is shown. It is always a word too.
type statusStyle struct {
	mark  string
	style style
	word  string
}

// statusStyles are the events of a stage that are shown, by type.
var statusStyles = [...]statusStyle{
	journal.StageSucceeded: {"✓", green, "succeeded"},
	journal.StageFailed:    {"✗", boldRed, "failed"},
	journal.StageLost:      {"↻", yellow, "lost"},
	journal.StageSkipped:   {"↷", dim, "skipped"},
	journal.StageCancelled: {"⊘", magenta, "cancelled"},
	journal.RunCancelling:  {"⊘", magenta, "cancelling"},
	journal.RunReopened:    {"↻", yellow, "reopened"},
}

// styleOf returns how a record of the entry is shown that the run was fed last.
func styleOf(run *runstate.Run, e journal.Entry, r journal.Record) statusStyle {
	if _, retrying := run.Retry(e, r); retrying {
		return statusStyle{"↻", yellow, "retrying"}
	}
	return statusStyles[r.Type]
}

const wordWidth = len("succeeded") // of the longest word of a stage

// routine reports whether an event of a stage is of no interest by itself when there are very many.
func routine(t journal.Type) bool {
	return t == journal.StageSucceeded || t == journal.StageSkipped || t == journal.StageCancelled
}

// remark says in a line what there is to say about an event of the entry that the run was fed last:
// why, or what the stage printed last.
func remark(run *runstate.Run, e journal.Entry, r journal.Record) string {
	text := firstLine(r.Text)
	pause, paused := run.Pauses[r.Stage]
	switch {
	case r.Type == journal.StageFailed && paused && pause.Attempt == r.Attempt+1:
		text = "in " + formatTook(pause.Until.Sub(run.Last)) + ": " + text
	case r.Type == journal.StageSkipped:
		text = run.WhySkipped(r.Stage)
	case r.Type == journal.StageCancelled:
		text = firstLine(run.WhyCancelled(e, r))
	}

	if text == "" {
		text = r.Note
	}
	return clean(text)
}

// sampled is the number of stages whose names are looked at to find the width of their column.
const sampled = 1000

// nameWidth is the width of the longest name of a stage, or of its instances, or most if that is
// less. While it is not known how many instances there will be it takes them for a few.
func nameWidth(run *runstate.Run, most int) int {
	width := 1
	n := run.Spec.Graph.Len()
	for s := n - 1; s >= 0; s -= max(1, n/sampled) {
		name := run.Name(dag.StageID(s))
		if base, instances, ok := run.State.Instances(dag.StageID(s)); ok && instances > 0 {
			name = run.Name(base + dag.StageID(instances) - 1)
		} else if run.Spec.Kind(dag.StageID(s)).ForEach != "" {
			name += "[99]"
		}
		width = max(width, term.Width(clean(name)))
	}

	return min(width, most)
}
