package dag

import (
	"errors"
	"fmt"
	"slices"
)

// Reopened returns the stages that a [RunReopened] event of the given stage would let be executed
// again, dependencies first: that stage, or with [NoStage] all that failed, were cancelled, or were
// skipped because of such a stage; everything downstream of them; and what was skipped because of
// any of these. A template that is executed again keeps its instances, so that those that went well
// are not, unless it was named itself or something upstream of it is executed again: then all are
// replaced by new ones. It is an error if the run is not finished, the stage is none that counts,
// or a stage has no attempt left.
func (r *Run) Reopened(stage StageID) ([]StageID, error) {
	again, _, err := r.reopened(stage)
	return again, err
}

func (r *Run) reopened(stage StageID) (again, replaced []StageID, err error) {
	if !r.finished {
		return nil, nil, errors.New("dag: only a finished run can be reopened")
	}

	if stage != NoStage && !r.counted(stage) {
		return nil, nil, fmt.Errorf("dag: the run has no stage %d that counts", stage)
	}

	chosen := make([]bool, len(r.state))
	for s := range r.Stages() {
		chosen[s] = s == stage || stage == NoStage && r.wrong(s)
	}

	for more := true; more; {
		var marked []bool
		again, replaced, marked = r.downstream(stage, chosen)
		more = false

		// a stopped run has stages that are skipped because of one that is not upstream
		for s := range r.Stages() {
			if r.state[s] == Skipped && marked[r.cause[s]] && !marked[s] {
				chosen[s], more = true, true
			}
		}
	}

	attempted := slices.Clone(again)
	for _, template := range replaced {
		base, n, _ := r.Instances(template)
		for s := base; s < base+StageID(n); s++ {
			attempted = append(attempted, s)
		}
	}

	for _, s := range attempted {
		if r.begun(s) && r.attempt[s] == maxAttempt {
			return nil, nil, fmt.Errorf("dag: stage %q has no attempt left", r.Name(s))
		}
	}

	return again, replaced, nil
}

// downstream returns the stages that are chosen, or downstream of such a stage, dependencies first;
// the templates whose instances are replaced; and marks of both these stages and these instances.
func (r *Run) downstream(stage StageID, chosen []bool) (again, replaced []StageID, marked []bool) {
	marked = make([]bool, len(r.state))
	for _, s := range r.graph.Topological() {
		anew := s == stage
		for _, d := range r.graph.Deps(s) {
			anew = anew || marked[d]
		}

		base, n, expanded := r.Instances(s)
		if anew && expanded {
			replaced = append(replaced, s)
		}

		marked[s] = anew || chosen[s]
		for i := base; i < base+StageID(n); i++ {
			if marked[i] = anew || chosen[i]; chosen[i] && !anew {
				again = append(again, i)
				marked[s] = true
			}
		}

		if marked[s] {
			again = append(again, s)
		}
	}

	return again, replaced, marked
}

// counted reports whether s is a stage that counts.
func (r *Run) counted(s StageID) bool {
	if int(s) >= len(r.state) {
		return false
	}

	template, _, ok := r.Instance(s)
	if !ok {
		return true
	}

	base, n, _ := r.Instances(template)
	return s >= base && s < base+StageID(n)
}

// wrong reports whether a stage failed or was cancelled, or was skipped because another was.
func (r *Run) wrong(s StageID) bool {
	return r.state[s] == Cancelled || r.failed(s) || r.state[s] == Skipped && r.verdict[s] == afterCancelled
}

// begun reports whether the attempt of a terminal stage was executed, or at least claimed.
func (r *Run) begun(s StageID) bool {
	return r.state[s] == Succeeded || r.state[s] == Failed || r.verdict[s] == executed
}

// reopen lets stages be executed again.
func (r *Run) reopen(stage StageID, commands []Command) ([]Command, error) {
	again, replaced, err := r.reopened(stage)
	if err != nil {
		return commands, err
	}

	r.finished = false
	r.stopping = false
	r.halt = NoStage
	for _, template := range replaced {
		r.replace(template)
	}

	for _, s := range again {
		if r.begun(s) {
			r.attempt[s]++
		}
		r.verdict[s] = undecided
		delete(r.failures, s)
		delete(r.elements, s)
		r.set(s, Waiting)
	}

	for _, s := range again {
		r.waiting[s] = r.missing(s)
	}

	for _, s := range again {
		commands = r.settle(s, commands)
	}
	return r.finish(commands), nil
}
