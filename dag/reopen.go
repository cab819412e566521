package dag

import (
	"errors"
	"fmt"
	"slices"
)

// Reopened returns the stages that a [RunReopened] event of the given stage would reset,
// dependencies first:
//
//   - the given stage, or with [NoStage] all stages that failed, were cancelled, or were skipped
//     because of such a stage;
//   - all stages downstream of those;
//   - the stages that were skipped because of any of these.
//
// If instances of a mapped stage are reset, so is the mapped stage, and its other instances keep
// their outcomes. But if the mapped stage was named, or a stage upstream of it is reset, its list
// may change: all its instances are replaced by new ones.
//
// It is an error if the run is not finished, the stage does not exist or was replaced, or a stage
// has no attempt left.
func (r *Run) Reopened(stage StageID) ([]StageID, error) {
	plan, err := r.planReopen(stage)
	return plan.reset, err
}

// reopening is what a RunReopened event will change. It is computed before anything is changed, so
// that an error leaves the run as it was.
type reopening struct {
	*triggers
	stage    StageID   // the stage that was named, or NoStage
	chosen   []bool    // by id: reset for a reason other than a stage upstream
	marked   []bool    // by id: reset, or replaced by a new instance
	reset    []StageID // dependencies first
	replaced []StageID // mapped stages whose instances are replaced
}

func (r *Run) planReopen(stage StageID) (reopening, error) {
	if !r.finished {
		return reopening{}, errors.New("dag: only a finished run can be reopened")
	}

	if stage != NoStage && !r.Current(stage) {
		return reopening{}, fmt.Errorf("dag: the run has no stage %d, or the stage was replaced", stage)
	}

	plan := reopening{triggers: &r.triggers, stage: stage, chosen: make([]bool, r.Len())}
	for s := range r.Stages() {
		plan.chosen[s] = s == stage || stage == NoStage && r.stages.unsuccessful(s)
	}

	plan.propagate()
	// A stage may be skipped because of one that is not upstream, in a run that stopped after a
	// failure. Choosing it adds stages downstream of it, which may be the cause of further skips.
	for plan.chooseSkipped() {
		plan.propagate()
	}

	if err := plan.checkAttempts(); err != nil {
		return reopening{}, err
	}
	return plan, nil
}

// propagate computes what is reset and replaced because of the chosen stages.
func (plan *reopening) propagate() {
	plan.reset = nil
	plan.replaced = nil
	plan.marked = make([]bool, len(plan.chosen))
	for _, s := range plan.graph.Topological() {
		// A stage that was named, or that comes after one that is executed again, starts from
		// nothing. Others are only completed: a mapped stage keeps the instances that succeeded.
		restart := s == plan.stage
		for _, d := range plan.graph.Deps(s) {
			restart = restart || plan.marked[d]
		}

		// New inputs may be a new list: its elements have nothing to do with the old instances.
		base, n, expanded := plan.Instances(s)
		if restart && expanded {
			plan.replaced = append(plan.replaced, s)
		}

		plan.marked[s] = restart || plan.chosen[s]
		for i := base; i < base+StageID(n); i++ {
			if plan.marked[i] = restart || plan.chosen[i]; plan.chosen[i] && !restart {
				plan.reset = append(plan.reset, i)
				plan.marked[s] = true
			}
		}

		if plan.marked[s] {
			plan.reset = append(plan.reset, s)
		}
	}
}

// chooseSkipped chooses stages that were skipped because of a stage that is reset, and reports
// whether there are any.
func (plan *reopening) chooseSkipped() (more bool) {
	for s := range plan.Stages() {
		if plan.stages.state[s] == Skipped && plan.marked[plan.stages.cause[s]] && !plan.marked[s] {
			plan.chosen[s] = true
			more = true
		}
	}
	return more
}

// checkAttempts returns an error if a stage has used all numbers of attempts.
func (plan *reopening) checkAttempts() error {
	attempted := slices.Clone(plan.reset)
	for _, mapped := range plan.replaced {
		// New instances continue the numbers of those that they replace.
		base, n, _ := plan.Instances(mapped)
		for s := base; s < base+StageID(n); s++ {
			attempted = append(attempted, s)
		}
	}

	for _, s := range attempted {
		if plan.stages.claimed(s) && plan.stages.attempt[s] == maxAttempt {
			return fmt.Errorf("dag: stage %q has no attempt left", plan.Name(s))
		}
	}

	return nil
}

// reopen lets stages be executed again.
func (r *Run) reopen(stage StageID, commands []Command) ([]Command, error) {
	plan, err := r.planReopen(stage)
	if err != nil {
		return commands, err
	}

	r.finished = false
	r.cancelling = false
	r.stopping = NoStage
	for _, mapped := range plan.replaced {
		r.replaceInstances(mapped)
	}

	for _, s := range plan.reset {
		r.stages.reset(s)
		delete(r.elements, s)
	}

	// What a stage waits for depends on the states of others, so these are all reset before.
	for _, s := range plan.reset {
		r.stages.missing[s] = r.countMissing(s)
	}

	for _, s := range plan.reset {
		commands = r.evaluate(s, commands)
	}
	return r.finish(commands), nil
}

// replaceInstances makes the instances of a mapped stage no longer current. They are all terminal.
func (r *Run) replaceInstances(mapped StageID) {
	base, n, _ := r.Instances(mapped)

	// The next instances have the same names, so their attempts continue where these end: run,
	// stage and attempt name one execution, which has one outcome.
	next := make([]Attempt, n)
	for i := range next {
		s := base + StageID(i)
		next[i] = r.stages.attempt[s]
		if r.stages.claimed(s) {
			next[i]++
		}
	}

	r.replace(mapped, next)
	r.stages.uncount(base, n)
}
