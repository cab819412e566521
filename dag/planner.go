package dag

import "slices"

// planner decides what follows when a stage or the run changes: which stages become ready, which
// will be skipped or cancelled. It appends what the coordinator has to do to a list of commands.
type planner struct {
	triggers
	cancelling bool    // a cancellation of the run was requested
	stopping   StageID // the failure after which Rules.Stop starts nothing more; NoStage before
}

// earlyEndDecision returns what a run that ends early decides about a stage that is not running:
// undecided if the run does not end early, or if the stage is still executed, as clean-ups are.
func (p *planner) earlyEndDecision(s StageID) decision {
	switch trigger := p.rule(s).Trigger; {
	case p.cancelling && trigger != AllDone:
		return willCancel
	case p.stopping != NoStage && (trigger == AllSuccess || trigger == AnySuccess):
		return willSkip
	}
	return undecided
}

// cancel ends the run early.
func (p *planner) cancel(commands []Command) []Command {
	p.cancelling = true
	return p.applyEarlyEnd(commands)
}

// stopAfter ends the run early if its rules say so. The first failure counts.
func (p *planner) stopAfter(failure StageID, commands []Command) []Command {
	if !p.rules.Stop || p.stopping != NoStage {
		return commands
	}
	p.stopping = failure
	return p.applyEarlyEnd(commands)
}

// applyEarlyEnd commands the skip or cancellation of every stage that may not be executed any more.
func (p *planner) applyEarlyEnd(commands []Command) []Command {
	for s, state := range p.stages.state {
		// Running stages are left out: their workers stop them and report how they finished.
		if s := StageID(s); p.stages.decision[s] == undecided && state != Running && !state.Terminal() && p.earlyEndDecision(s) != undecided {
			commands = p.command(s, commands)
		}
	}
	return commands
}

// stageDone informs the stages that wait for stage s, which has become terminal.
func (p *planner) stageDone(s StageID, commands []Command) []Command {
	// Most stages of most runs take this way: it reads no rule and no map.
	if p.rules.KindOf == nil && p.stages.state[s] == Succeeded {
		return p.releaseDependents(s, commands)
	}

	if mapped, _, ok := p.Instance(s); ok {
		return p.instanceDone(mapped, s, commands)
	}

	for _, d := range p.graph.Dependents(s) {
		commands = p.dependencyDone(d, s, commands)
	}
	return commands
}

// releaseDependents is dependencyDone for all dependents of a stage that succeeded, in a run in
// which all stages have the zero rule.
func (p *planner) releaseDependents(s StageID, commands []Command) []Command {
	for _, d := range p.graph.Dependents(s) {
		if p.stages.missing[d]--; p.stages.missing[d] == 0 && p.stages.state[d] == Waiting {
			commands = p.markReady(d, commands)
		}
	}
	return commands
}

// dependencyDone informs stage s that its dependency d has become terminal.
func (p *planner) dependencyDone(s, d StageID, commands []Command) []Command {
	rule := p.rule(s)
	succeeded := p.succeededFor(d, s)
	decisive := false // whether the outcome of d alone may let s start
	switch {
	case rule.Each != nil && p.expanded(s):
		return commands // it waits for its instances now
	case rule.Trigger == AllSuccess && !succeeded && !rule.Gather:
		// The number of missing stages stays above zero: d will never succeed.
		return p.skipSubtree(s, p.stages.causeOf(d), commands)
	case rule.Trigger == AnySuccess:
		decisive = succeeded
	case rule.Trigger == AnyFailed:
		decisive = p.stages.failed(d)
	}

	// Read before the number of missing stages falls, on which it depends.
	withheld := p.withheld(s)
	switch p.stages.missing[s]--; {
	case withheld && p.stages.missing[s] == 0:
		return p.command(s, commands)
	case withheld:
		return commands
	case rule.Trigger == AllSuccess && !succeeded:
		return p.skipSubtree(s, p.stages.causeOf(d), commands)
	}

	// Without the list there are no elements, whatever the trigger says.
	if rule.Each != nil && *rule.Each == d {
		if p.stages.state[d] != Succeeded {
			return p.skipSubtree(s, p.stages.causeOf(d), commands)
		}
		decisive = true
	}

	// Evaluating a trigger reads all dependencies. A stage with n of them would cost n² if each
	// evaluated it.
	if !decisive && p.stages.missing[s] > 0 || p.stages.state[s] != Waiting {
		return commands
	}

	return p.applyTrigger(s, commands)
}

// instanceDone informs a mapped stage that its instance s has become terminal.
func (p *planner) instanceDone(mapped, s StageID, commands []Command) []Command {
	withheld := p.withheld(mapped)
	switch p.stages.missing[mapped]--; {
	case withheld && p.stages.missing[mapped] == 0:
		return p.command(mapped, commands)
	case withheld:
		return commands
	case !p.stages.succeeded(s):
		return p.skipSubtree(mapped, p.stages.causeOf(s), commands)
	case p.stages.missing[mapped] == 0 && p.stages.state[mapped] == Waiting:
		return p.markReady(mapped, commands)
	}

	return commands
}

// evaluate decides about a waiting stage from the states of all stages that it waits for. A new or
// reopened run is evaluated stage by stage, dependencies first, since no event changes the stages
// one after another.
func (p *planner) evaluate(s StageID, commands []Command) []Command {
	// An instance waits for nothing.
	if int(s) >= p.graph.Len() {
		return p.markReady(s, commands)
	}

	// A reopened mapped stage keeps its instances if only some of them are executed again.
	if base, n, ok := p.Instances(s); ok {
		for i := base; i < base+StageID(n); i++ {
			if p.stages.state[i].Terminal() && !p.stages.succeeded(i) {
				return p.skipSubtree(s, p.stages.causeOf(i), commands)
			}
		}

		if p.stages.missing[s] == 0 {
			commands = p.markReady(s, commands)
		}
		return commands
	}

	for _, d := range p.graph.Deps(s) {
		unsuccessful := p.stages.state[d].Terminal() && p.stages.state[d] != Succeeded || p.stages.skipped(d)
		if unsuccessful && p.requires(s, d) {
			return p.skipSubtree(s, p.stages.causeOf(d), commands)
		}
	}

	return p.applyTrigger(s, commands)
}

// applyTrigger makes a waiting stage ready, or decides its skip, if its trigger says so.
func (p *planner) applyTrigger(s StageID, commands []Command) []Command {
	switch holds, never := p.evalTrigger(s); {
	case never:
		return p.skipSubtree(s, p.unmetCause(s), commands)
	case !holds:
		return commands
	}

	if each := p.rule(s).Each; each != nil {
		return p.expandMapped(s, *each, commands)
	}
	return p.markReady(s, commands)
}

// expandMapped gives a mapped stage whose trigger holds its instances, as soon as the length of the
// list is known.
func (p *planner) expandMapped(mapped, list StageID, commands []Command) []Command {
	if p.stages.state[list] != Succeeded || p.stages.decision[mapped] != undecided {
		return commands
	}

	base := StageID(len(p.stages.state))
	n := p.elements[list]
	first := p.expand(mapped, base, n)
	p.stages.addReady(int(n), first)
	p.stages.missing[mapped] = n
	if n == 0 {
		return p.markReady(mapped, commands) // nothing to wait for: it gathers an empty list
	}

	commands = slices.Grow(commands, int(n))
	for s := base; s < base+StageID(n); s++ {
		commands = p.command(s, commands)
	}
	return commands
}

// markReady makes a stage ready.
func (p *planner) markReady(s StageID, commands []Command) []Command {
	p.stages.set(s, Ready)
	// What was decided while it waited has been commanded, and must not be twice.
	if p.stages.decision[s] == undecided {
		commands = p.command(s, commands)
	}
	return commands
}

// skipSubtree commands the skip of a waiting stage, and of every stage that cannot be executed
// without it. A coordinator can then record all of them in one entry.
func (p *planner) skipSubtree(s, cause StageID, commands []Command) []Command {
	if !p.stages.decideSkip(s, cause) {
		return commands
	}

	// A queue, not recursion: a chain may have a million stages.
	for queue := []StageID{s}; len(queue) > 0; queue = queue[1:] {
		s = queue[0]
		commands = p.command(s, commands)
		for _, d := range p.graph.Dependents(s) {
			if p.requires(d, s) && p.stages.decideSkip(d, cause) {
				queue = append(queue, d)
			}
		}
	}

	return commands
}

// command appends the command for a stage that is ready, waits for its next attempt, or has a
// decision.
func (p *planner) command(s StageID, commands []Command) []Command {
	// A stage may become ready, or fail, after the run began to end early.
	if p.stages.decision[s] == undecided && (p.cancelling || p.stopping != NoStage) {
		if p.stages.decision[s] = p.earlyEndDecision(s); p.stages.decision[s] == willSkip {
			p.stages.setCause(s, p.stopping)
		}
	}

	switch {
	case p.withheld(s):
		return commands
	case p.stages.decision[s] == willSkip:
		return append(commands, Command{Type: Skip, Stage: s, Cause: p.stages.cause[s]})
	case p.stages.decision[s] == willCancel:
		return append(commands, Command{Type: Cancel, Stage: s})
	case p.stages.state[s] == Retrying:
		return append(commands, Command{Type: Retry, Stage: s, Attempt: p.stages.attempt[s]})
	}

	return append(commands, Command{Type: Dispatch, Stage: s, Attempt: p.stages.attempt[s]})
}

// pending appends the commands of all stages that are ready, wait for their next attempt, or have a
// decision.
func (p *planner) pending(commands []Command) []Command {
	for s, state := range p.stages.state {
		if state == Ready || state == Retrying || state == Waiting && p.stages.decision[s] != undecided {
			commands = p.command(StageID(s), commands)
		}
	}
	return commands
}
