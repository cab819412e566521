package dag

import (
	"errors"
	"fmt"
	"slices"
)

// Reopened returns the stages that a [RunReopened] event of the given stage would reset,
// dependencies first. These are that stage, or with [NoStage] all stages that failed, were
// cancelled, or were skipped because of such a stage; everything downstream of them; and the stages
// that were skipped because of any of these.
//
// A mapped stage among them keeps its instances, so that those that succeeded are not executed
// again. If it was named itself, or a stage upstream of it is reset, all its instances are replaced
// by new ones.
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
	replaced []StageID // mapped stages that get new instances
}

func (r *Run) planReopen(stage StageID) (reopening, error) {
	if !r.finished {
		return reopening{}, errors.New("dag: only a finished run can be reopened")
	}

	if stage != NoStage && !r.counted(stage) {
		return reopening{}, fmt.Errorf("dag: the run has no stage %d that counts", stage)
	}

	p := reopening{triggers: &r.triggers, stage: stage, chosen: make([]bool, r.Len())}
	for s := range r.Stages() {
		p.chosen[s] = s == stage || stage == NoStage && r.stages.unsuccessful(s)
	}

	p.follow()
	// A stage may be skipped because of one that is not upstream, in a run that stopped after a
	// failure. Choosing it adds stages downstream of it, which may be the cause of further skips.
	for p.chooseSkipped() {
		p.follow()
	}

	if err := p.checkAttempts(); err != nil {
		return reopening{}, err
	}
	return p, nil
}

// follow computes what is reset and replaced because of the chosen stages.
func (p *reopening) follow() {
	p.reset = nil
	p.replaced = nil
	p.marked = make([]bool, len(p.chosen))
	for _, s := range p.graph.Topological() {
		anew := s == p.stage // not only completed, but executed with new inputs
		for _, d := range p.graph.Deps(s) {
			anew = anew || p.marked[d]
		}

		// New inputs may be a new list: its elements have nothing to do with the old instances.
		base, n, expanded := p.Instances(s)
		if anew && expanded {
			p.replaced = append(p.replaced, s)
		}

		p.marked[s] = anew || p.chosen[s]
		for i := base; i < base+StageID(n); i++ {
			if p.marked[i] = anew || p.chosen[i]; p.chosen[i] && !anew {
				p.reset = append(p.reset, i)
				p.marked[s] = true
			}
		}

		if p.marked[s] {
			p.reset = append(p.reset, s)
		}
	}
}

// chooseSkipped chooses stages that were skipped because of a stage that is reset, and reports
// whether there are any.
func (p *reopening) chooseSkipped() (more bool) {
	for s := range p.Stages() {
		if p.stages.state[s] == Skipped && p.marked[p.stages.cause[s]] && !p.marked[s] {
			p.chosen[s] = true
			more = true
		}
	}
	return more
}

// checkAttempts returns an error if a stage has used all numbers of attempts.
func (p *reopening) checkAttempts() error {
	attempted := slices.Clone(p.reset)
	for _, mapped := range p.replaced {
		// New instances continue the numbers of those that they replace.
		base, n, _ := p.Instances(mapped)
		for s := base; s < base+StageID(n); s++ {
			attempted = append(attempted, s)
		}
	}

	for _, s := range attempted {
		if p.stages.claimed(s) && p.stages.attempt[s] == maxAttempt {
			return fmt.Errorf("dag: stage %q has no attempt left", p.Name(s))
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
		r.stages.waiting[s] = r.missing(s)
	}

	for _, s := range plan.reset {
		commands = r.evaluate(s, commands)
	}
	return r.finish(commands), nil
}

// replaceInstances makes the instances of a mapped stage count no more. They are all terminal.
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
