package runstate

import (
	"slices"
	"time"

	"github.com/godags/godags/dag"
)

// CriticalPath returns the stages that the end of the run waited for, in the order of execution,
// and how long they took together. The last is the executed stage that ended last. Before each
// stage comes the dependency that ended last before it began.
//
// The stages were executed one after another, so that the sum is never more than the run took.
func (r *Run) CriticalPath() (path []dag.StageID, sum time.Duration) {
	c := pathSearch{state: r.DAG, times: &r.times}
	for s, ok := c.last(); ok; s, ok = c.waitedFor(s) {
		// A skipped stage passes the wait on, and takes no time.
		if d := r.times.total(s); d > 0 {
			path = append(path, s)
			sum += d
		}
	}

	slices.Reverse(path)
	return path, sum
}

// pathSearch follows a critical path from its end to its start.
type pathSearch struct {
	state *dag.Run
	times *stageTimes
}

// last returns the executed stage that ended last.
func (c pathSearch) last() (last dag.StageID, found bool) {
	for s := range c.state.Stages() {
		if c.times.total(s) > 0 && (!found || c.times.ended(s) > c.times.ended(last)) {
			last = s
			found = true
		}
	}
	return last, found
}

// waitedFor returns the stage whose end let a stage begin, or let it be skipped.
func (c pathSearch) waitedFor(s dag.StageID) (last dag.StageID, ok bool) {
	began := c.times.began(s)
	latest := uint32(0)
	consider := func(d dag.StageID) {
		// A dependency may end later than the stage begins, as with the trigger any_success.
		if at := c.times.ended(d); at < began && at > latest {
			last = d
			latest = at
		}
	}

	// A skip waits for its cause alone. Other dependencies may have ended in the meantime.
	if cause := c.state.Cause(s); c.state.State(s) == dag.Skipped && cause != s {
		if consider(cause); latest > 0 {
			return last, true
		}
	}

	// A mapped stage collects the outputs of its instances, which wait for its dependencies.
	for i := range withInstances(c.state, s) {
		consider(i)
	}
	for _, d := range c.state.Graph().Deps(c.state.GraphStage(s)) {
		consider(d)
	}

	return last, latest > 0
}
