package progress

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// fewInstances is the largest number of instances, or cells, that have a line each.
const fewInstances = 20

// folded is a stage with more instances than a person reads: they are shown as one.
type folded struct {
	stage     dag.StageID // the mapped stage, or the collector of the cells
	name      string
	members   []dag.StageID
	running   int
	succeeded int
	failed    int
	others    int // skipped or cancelled
	since     time.Time
}

// folds finds and counts folded stages.
type folds struct {
	stages map[dag.StageID]*folded
	cells  map[dag.StageID]dag.StageID // the collector of each cell of a large matrix
}

// of returns the folded stage that a stage belongs to; nil if it has a line.
func (f *folds) of(run *runstate.Run, s dag.StageID) *folded {
	if f.stages == nil {
		f.stages = make(map[dag.StageID]*folded)
		f.findCells(run)
	}

	whole, members := f.members(run, s)
	if len(members) <= fewInstances {
		return nil
	}
	if f.stages[whole] == nil {
		f.stages[whole] = newFolded(run, whole, members)
	}
	return f.stages[whole]
}

// members returns the stage that a stage is an instance or a cell of, and all its instances or
// cells.
func (f *folds) members(run *runstate.Run, s dag.StageID) (whole dag.StageID, members []dag.StageID) {
	if collector, isCell := f.cells[s]; isCell {
		return collector, run.Spec.Graph.Deps(collector)
	}

	mapped, _, isInstance := run.DAG.Instance(s)
	if !isInstance {
		return s, nil
	}
	if known := f.stages[mapped]; known != nil {
		return mapped, known.members
	}

	base, n, _ := run.DAG.Instances(mapped)
	for i := range n {
		members = append(members, base+dag.StageID(i))
	}
	return mapped, members
}

// newFolded returns a folded stage with the counts of its members as they are now.
func newFolded(run *runstate.Run, whole dag.StageID, members []dag.StageID) *folded {
	f := &folded{stage: whole, name: run.Name(whole), members: members}
	for _, s := range members {
		switch run.DAG.State(s) {
		case dag.Running:
			f.running++
		case dag.Succeeded:
			f.succeeded++
		case dag.Failed:
			f.failed++
		case dag.Skipped, dag.Cancelled:
			f.others++
		}
	}

	return f
}

func (f *folds) findCells(run *runstate.Run) {
	f.cells = make(map[dag.StageID]dag.StageID)
	graph := run.Spec.Graph
	for s := range dag.StageID(graph.Len()) {
		if deps := graph.Deps(s); run.Spec.Kind(s).Gather && len(deps) > fewInstances {
			for _, cell := range deps {
				f.cells[cell] = s
			}
		}
	}
}

// count notes what an entry says of folded stages. Counting the members anew for each entry would
// take minutes for 100,000 instances.
func (f *folds) count(run *runstate.Run, e journal.Entry, active map[dag.StageID]attempt) {
	counted := maps.Clone(f.stages)
	for _, r := range e.Records {
		if r.Type == journal.RunReopened {
			f.stages = nil // their states have changed, and some may have other instances
			return
		}
		if r.Type == journal.RunSubmitted || r.Type == journal.RunCancelling || r.Type == journal.RunFinished {
			continue
		}

		whole := f.of(run, r.Stage)
		if whole == nil {
			continue
		}
		if r.Type == journal.StageStarted && whole.since.IsZero() {
			whole.since = e.Time
		}
		// The counts of a new one are those after this entry.
		if counted[whole.stage] != nil {
			whole.add(run, e, r, active)
		}
	}
}

// add counts one record.
func (f *folded) add(run *runstate.Run, e journal.Entry, r journal.Record, active map[dag.StageID]attempt) {
	if _, was := active[r.Stage]; was && r.Type != journal.StageStarted {
		f.running--
	}

	switch r.Type {
	case journal.StageStarted:
		f.running++
	case journal.StageSucceeded:
		f.succeeded++
	case journal.StageFailed:
		if _, retrying := run.RetryDue(e, r); !retrying {
			f.failed++
		}
	case journal.StageSkipped, journal.StageCancelled:
		f.others++
	}
}

// ended is the number of members that are finished.
func (f *folded) ended() int { return f.succeeded + f.failed + f.others }

// counts returns how far the instances are, such as "312/500", "4 running" and "1 failed".
func (f *folded) counts() (c counts) {
	c = append(c, span{none, commas(f.ended()) + "/" + commas(len(f.members))})
	c.add(cyan, f.running, "running")
	c.add(boldRed, f.failed, "failed")
	return c
}

// shownRow is a row of what runs: an attempt, or the running instances of a folded stage.
type shownRow struct {
	attempt
	folded *folded // nil for an attempt
}

// rows returns what runs, longest running first.
func (t *counters) rows() []shownRow {
	var rows []shownRow
	for _, a := range t.running {
		if a.folded == nil {
			rows = append(rows, shownRow{attempt: a})
		}
	}
	for whole := range maps.Values(t.folds.stages) {
		if !whole.since.IsZero() && whole.ended() < len(whole.members) {
			rows = append(rows, shownRow{attempt{stage: whole.stage, name: whole.name, since: whole.since}, whole})
		}
	}

	slices.SortFunc(rows, func(a, b shownRow) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.stage, b.stage))
	})
	return rows
}

// cascade is how many stages are skipped for one reason before one line stands for all.
const cascade = 3

// skips returns the stages that an entry skips, by their reasons, if there are many for one reason.
func skips(run *runstate.Run, e journal.Entry) map[string][]string {
	names := make(map[string][]string)
	for _, r := range e.Records {
		if r.Type == journal.StageSkipped && r.Attempt == 0 {
			why := run.WhySkipped(r.Stage)
			names[why] = append(names[why], clean(run.Name(r.Stage)))
		}
	}

	maps.DeleteFunc(names, func(_ string, list []string) bool { return len(list) <= cascade })
	return names
}

// oneOfMany reports whether a record has no line: the row of a folded stage counts it, or
// a line stands for all stages that were skipped for the same reason.
func (t *counters) oneOfMany(run *runstate.Run, r journal.Record, skipped map[string][]string) bool {
	if r.Type == journal.StageSkipped && r.Attempt == 0 && len(skipped) > 0 && skipped[run.WhySkipped(r.Stage)] != nil {
		return true
	}
	return routine(r.Type) && t.folds.of(run, r.Stage) != nil
}

// listed returns the first names of a list, as many as fit into a width, and how many follow.
func listed(names []string, width int) string {
	text := names[0]
	for i, name := range names[1:] {
		more := ", +" + commas(len(names)-1-i) + " more"
		if term.Width(text)+2+term.Width(name)+len(more) > width {
			return text + more
		}
		text += ", " + name
	}
	return text
}
