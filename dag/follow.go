package dag

// ended tells those that wait for stage s that it is at its end.
func (r *Run) ended(s StageID, commands []Command) []Command {
	if r.rules.KindOf == nil && r.state[s] == Succeeded {
		return r.release(s, commands)
	}

	if template, _, ok := r.Instance(s); ok {
		return r.collect(template, s, commands)
	}

	for _, d := range r.graph.Dependents(s) {
		commands = r.hear(d, s, commands)
	}
	return commands
}

// release is hear for all dependents of a stage that succeeded, in a run in which all stages have
// the zero rule.
func (r *Run) release(s StageID, commands []Command) []Command {
	for _, d := range r.graph.Dependents(s) {
		if r.waiting[d]--; r.waiting[d] == 0 && r.state[d] == Waiting {
			commands = r.open(d, commands)
		}
	}
	return commands
}

// hear tells stage d that its dependency s is at its end.
func (r *Run) hear(d, s StageID, commands []Command) []Command {
	rule := r.rule(d)
	good := r.good(d, s)
	matters := false
	switch {
	case rule.Each != nil && r.expanded(d):
		return commands // it waits for its instances now
	case rule.Trigger == AllSuccess && !good && !rule.Gather:
		return r.doom(d, r.causeOf(s), commands)
	case rule.Trigger == AnySuccess:
		matters = good
	case rule.Trigger == AnyFailed:
		matters = r.failed(s)
	}

	held := r.held(d)
	switch r.waiting[d]--; {
	case held && r.waiting[d] == 0:
		return r.due(d, commands)
	case held:
		return commands
	case rule.Trigger == AllSuccess && !good:
		return r.doom(d, r.causeOf(s), commands)
	}

	if rule.Each != nil && *rule.Each == s {
		if r.state[s] != Succeeded {
			return r.doom(d, r.causeOf(s), commands)
		}
		matters = true
	}

	if !matters && r.waiting[d] > 0 || r.state[d] != Waiting {
		return commands
	}

	switch holds, never := r.judge(d); {
	case holds:
		commands = r.enter(d, commands)
	case never:
		commands = r.doom(d, r.unmet(d), commands)
	}

	return commands
}

// judge reports whether the trigger of a stage that waits holds, and if not, whether it never will.
func (r *Run) judge(s StageID) (holds, never bool) {
	trigger := r.rule(s).Trigger
	deps := r.graph.Deps(s)
	all := r.waiting[s] == 0
	switch trigger {
	case AnySuccess:
		holds = len(deps) == 0
		for i := 0; i < len(deps) && !holds; i++ {
			holds = r.state[deps[i]] == Succeeded
		}

	case AnyFailed:
		for i := 0; i < len(deps) && !holds; i++ {
			holds = r.failed(deps[i])
		}
	default:
		holds = all
	}

	return holds, all && !holds
}

// unmet returns why the trigger of a stage is not met although all of its dependencies are at their
// end: none succeeded, which may be because something failed, or none failed, which is nobody's
// fault.
func (r *Run) unmet(s StageID) StageID {
	if r.rule(s).Trigger == AnyFailed {
		return s
	}

	deps := r.graph.Deps(s)
	for _, d := range deps {
		if r.failed(d) {
			return r.causeOf(d)
		}
	}

	return r.causeOf(deps[0])
}

// enter makes a stage ready whose trigger holds, or gives it its instances first.
func (r *Run) enter(s StageID, commands []Command) []Command {
	if each := r.rule(s).Each; each != nil {
		return r.expand(s, *each, commands)
	}
	return r.open(s, commands)
}

// open makes a stage ready.
func (r *Run) open(s StageID, commands []Command) []Command {
	r.set(s, Ready)
	if r.verdict[s] == undecided {
		commands = r.due(s, commands)
	}
	return commands
}

// doom commands the skip of a stage that waits, and of every stage that cannot be executed without
// it.
func (r *Run) doom(s, root StageID, commands []Command) []Command {
	if !r.decideSkip(s, root) {
		return commands
	}

	for doomed := []StageID{s}; len(doomed) > 0; doomed = doomed[1:] {
		s = doomed[0]
		commands = r.due(s, commands)
		for _, d := range r.graph.Dependents(s) {
			if r.needs(d, s) && r.decideSkip(d, root) {
				doomed = append(doomed, d)
			}
		}
	}

	return commands
}

// needs reports whether stage s cannot be executed now that its dependency d, which is at its end
// or is to be skipped, did not succeed.
func (r *Run) needs(s, d StageID) bool {
	rule := r.rule(s)
	return rule.Trigger == AllSuccess && !(rule.Gather && r.declined(d)) || rule.Each != nil && *rule.Each == d
}

// good reports whether dependency d, which is at its end, is as the trigger AllSuccess of stage s
// wants it.
func (r *Run) good(s, d StageID) bool {
	return r.state[d] == Succeeded || r.rule(s).Gather && r.declined(d)
}

// declined reports whether stage s is skipped, or is to be, because of its own condition or
// trigger.
func (r *Run) declined(s StageID) bool {
	return (r.state[s] == Skipped || r.state[s] == Waiting && r.verdict[s] == toSkip) && r.cause[s] == s
}

// decideSkip decides that a stage is to be skipped. It is false for one that does not wait, or of
// which something is decided already.
func (r *Run) decideSkip(s, root StageID) bool {
	if r.verdict[s] != undecided || r.state[s] != Waiting {
		return false
	}
	r.verdict[s] = toSkip
	r.setRoot(s, root)
	return true
}

// held reports whether what is decided about stage s is not commanded yet, since not all stages are
// at their end whose outputs it would have gathered: for those that come after it, such as a
// clean-up, they are part of it.
func (r *Run) held(s StageID) bool {
	return r.verdict[s] != undecided && r.state[s] == Waiting && r.waiting[s] > 0 && (r.rule(s).Gather || r.expanded(s))
}

// barred returns the verdict on a stage that is not running, now that the run is to end early;
// undecided if it is not, or not for such a stage.
func (r *Run) barred(s StageID) verdict {
	switch trigger := r.rule(s).Trigger; {
	case r.stopping && trigger != AllDone:
		return toCancel
	case r.halt != NoStage && (trigger == AllSuccess || trigger == AnySuccess):
		return toSkip
	}
	return undecided
}

// due commands what a stage needs that is ready, or waits for its next attempt, or is decided upon.
func (r *Run) due(s StageID, commands []Command) []Command {
	if r.verdict[s] == undecided && (r.stopping || r.halt != NoStage) {
		if r.verdict[s] = r.barred(s); r.verdict[s] == toSkip {
			r.setRoot(s, r.halt)
		}
	}

	switch {
	case r.held(s):
		return commands
	case r.verdict[s] == toSkip:
		return append(commands, Command{Type: Skip, Stage: s, Cause: r.cause[s]})
	case r.verdict[s] == toCancel:
		return append(commands, Command{Type: Cancel, Stage: s})
	case r.state[s] == Retrying:
		return append(commands, Command{Type: Retry, Stage: s, Attempt: r.attempt[s]})
	}

	return append(commands, Command{Type: Dispatch, Stage: s, Attempt: r.attempt[s]})
}

// stop cancels the run.
func (r *Run) stop(commands []Command) []Command {
	if r.stopping || r.finished {
		return commands
	}
	r.stopping = true
	return r.sweep(commands)
}

// sweep commands the end of every stage that may not be executed any more and is neither running
// nor decided. Running stages are the workers' to stop.
func (r *Run) sweep(commands []Command) []Command {
	for s, state := range r.state {
		if s := StageID(s); r.verdict[s] == undecided && state != Running && !state.Terminal() && r.barred(s) != undecided {
			commands = r.due(s, commands)
		}
	}
	return commands
}

// Pending appends everything that the run is still waiting for its driver to do: what a new driver
// does after replaying the journal, and what it does first in a new run.
func (r *Run) Pending(commands []Command) []Command {
	for s, state := range r.state {
		if state == Ready || state == Retrying || state == Waiting && r.verdict[s] != undecided {
			commands = r.due(StageID(s), commands)
		}
	}
	return r.finish(commands)
}
