package runstate

import (
	"slices"
	"time"

	"github.com/godags/godags/dag"
)

// Took returns how long a stage took, with the attempts that failed before and with the waits
// between them; 0 if it was not executed.
func (r *Run) Took(s dag.StageID) time.Duration { return r.Duration(s) + r.before[s] }

// CriticalPath returns what the end of the run waited for: the executed stage that ended last,
// before it the dependency that this one waited for, and so on, first things first; and what they
// took. They were executed one after another, so that this is never more than the run took.
func (r *Run) CriticalPath() (path []dag.StageID, sum time.Duration) {
	var last dag.StageID
	found := false
	for s := range r.State.Stages() {
		if r.Took(s) > 0 && (!found || r.ended(s) > r.ended(last)) {
			last = s
			found = true
		}
	}

	for s, ok := last, found; ok; s, ok = r.waitedFor(s) {
		if d := r.Took(s); d > 0 {
			path = append(path, s)
			sum = sum + d
		}
	}

	slices.Reverse(path)
	return path, sum
}

// waitedFor returns the stage whose end let a stage begin, or be skipped: its root, or else the
// last dependency that ended before.
func (r *Run) waitedFor(s dag.StageID) (last dag.StageID, ok bool) {
	began := r.began(s)
	latest := uint32(0)
	look := func(d dag.StageID) {
		if at := r.ended(d); at < began && at > latest {
			last = d
			latest = at
		}
	}

	if root := r.State.Cause(s); r.State.State(s) == dag.Skipped && root != s {
		if look(root); latest > 0 {
			return last, true
		}
	}

	template, _, instance := r.State.Instance(s)
	if !instance {
		template = s
		for i := range r.Family(s) {
			look(i)
		}
	}

	for _, d := range r.Spec.Graph.Deps(template) {
		look(d)
	}
	return last, latest > 0
}

// ended returns the number of the record with which a stage ended; 0 if it has not.
func (r *Run) ended(s dag.StageID) uint32 {
	if int(s) >= len(r.marks) {
		return 0
	}
	return r.marks[s].ended
}

// began returns the number of the record with which a stage began, or else ended.
func (r *Run) began(s dag.StageID) uint32 {
	ended := r.ended(s)
	if ended > 0 && r.marks[s].began > 0 {
		return min(r.marks[s].began, ended)
	}
	return ended
}
