package progress

import (
	"strings"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// statusStyle is how a status is shown. It always has a word, for readers without colours.
type statusStyle struct {
	mark  string
	style style
	word  string
}

// statusStyles are the styles of records that are shown, by type.
var statusStyles = [...]statusStyle{
	journal.StageSucceeded: {"✓", green, "succeeded"},
	journal.StageFailed:    {"✗", boldRed, "failed"},
	journal.StageLost:      {"↻", yellow, "lost"},
	journal.StageSkipped:   {"↷", dim, "skipped"},
	journal.StageCancelled: {"⊘", magenta, "cancelled"},
	journal.RunCancelling:  {"⊘", magenta, "cancelling"},
	journal.RunReopened:    {"↻", yellow, "reopened"},
}

// styleOf returns the style of a record. Its entry must be the last that was applied to run.
func styleOf(run *runstate.Run, e journal.Entry, r journal.Record) statusStyle {
	if _, retrying := run.RetryDue(e, r); retrying {
		return statusStyle{"↻", yellow, "retrying"}
	}
	return statusStyles[r.Type]
}

const wordWidth = len("succeeded") // the longest word of a stage

// routine reports whether single events of this type are uninteresting when there are very many.
func routine(t journal.Type) bool {
	return t == journal.StageSucceeded || t == journal.StageSkipped || t == journal.StageCancelled
}

// remark returns the reason of an event, or else the last line that the stage printed. The entry
// must be the last that was applied to run.
func remark(run *runstate.Run, e journal.Entry, r journal.Record) string {
	text := firstLine(r.Text)
	pause, paused := run.Retrying[r.Stage]
	switch {
	// The pause belongs to this failure only if it is the one before the next attempt.
	case r.Type == journal.StageFailed && paused && pause.Attempt == r.Attempt+1:
		text = "in " + formatTook(pause.Due.Sub(run.Last)) + ": " + text
	case r.Type == journal.StageSkipped:
		text = run.WhySkipped(r.Stage)
	case r.Type == journal.StageCancelled:
		text = firstLine(run.WhyCancelled(e, r))
	}

	// "exit status 75" alone says nothing: the last line often says why.
	if note := firstLine(r.Note); note != "" && !strings.Contains(text, note) {
		text = joinRemarks(text, note)
	}
	return clean(text)
}

// sampled is the number of names that are measured to find the width of their column.
const sampled = 1000

// nameWidth returns the width of the longest name of a stage or instance, but at most most. Before
// the number of instances is known, two digits are assumed.
func nameWidth(run *runstate.Run, most int) int {
	width := 1
	n := run.Spec.Graph.Len()
	// From the last stage: where names end in numbers, the last has the most digits.
	for s := n - 1; s >= 0; s -= max(1, n/sampled) {
		name := run.Name(dag.StageID(s))
		if base, instances, ok := run.DAG.Instances(dag.StageID(s)); ok && instances > 0 {
			name = run.Name(base + dag.StageID(instances) - 1)
		} else if run.Spec.Kind(dag.StageID(s)).ForEach != "" {
			name += "[99]"
		}
		width = max(width, term.Width(clean(name)))
	}

	return min(width, most)
}
