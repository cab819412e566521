package dag

// Run is the state of one run of a graph. It is a function of the events that were applied to it,
// in order, and of nothing else. It is not safe for concurrent use.
//
// It has four parts, each of which uses only those below it:
//
//	planner     what follows from a change: ready, skipped and cancelled stages
//	triggers    whether a stage may start
//	stageTable  the state of each stage
//	topology    names and ids: the graph and the instances of mapped stages
//
// Each part embeds the next, so that the fields of all are in one place in memory. The methods
// about names and ids come from topology.
type Run struct {
	planner
	finished bool
}

// NewRun returns the run's state before its first event. [Run.Pending] returns what to do first.
// The run keeps the rules, which must fit the graph: an index of a kind for every stage, and for
// every mapped stage a dependency that says how many instances it has.
func NewRun(g *Graph, rules Rules) *Run {
	n := g.Len()
	r := &Run{planner: planner{
		triggers: triggers{topology: topology{graph: g}, rules: rules, stages: newStageTable(n)},
		stopping: NoStage,
	}}

	for s := range StageID(n) {
		r.stages.attempt[s] = 1
		// With the zero rule, a stage without dependencies is ready, and nothing else is decided.
		if r.stages.missing[s] = uint32(len(g.Deps(s))); r.stages.missing[s] == 0 && rules.KindOf == nil {
			r.stages.set(s, Ready)
		}
	}

	if rules.KindOf != nil {
		// Dependencies come first: evaluate needs the decisions about them.
		// The commands are dropped: Pending returns them.
		var dropped []Command
		for _, s := range g.Topological() {
			dropped = r.evaluate(s, dropped[:0])
		}
	}

	return r
}

// Len returns the number of stage ids that are in use: all ids below it are. It grows when a mapped
// stage gets its instances.
func (r *Run) Len() int { return len(r.stages.state) }

// Total returns the number of current stages: all except instances that were replaced.
func (r *Run) Total() int { return r.stages.total() }

// State returns the state of stage s.
func (r *Run) State(s StageID) State { return r.stages.state[s] }

// Attempt returns the attempt that stage s is in, or the next one if none runs; 1 at first.
func (r *Run) Attempt(s StageID) Attempt { return r.stages.attempt[s] }

// Failures returns how many attempts of stage s failed and were followed by another.
func (r *Run) Failures(s StageID) int { return int(r.stages.failures[s]) }

// Cause returns the stage because of which s is skipped: one that failed or was cancelled, or one
// whose own condition or trigger was not met, which may be s itself. It is meaningless for stages
// that are not skipped.
func (r *Run) Cause(s StageID) StageID {
	if r.stages.cause == nil {
		return s
	}
	return r.stages.cause[s]
}

// Count returns the number of current stages in a state.
func (r *Run) Count(s State) int { return r.stages.counts[s] }

// Cancelling reports whether a cancellation of the run was requested.
func (r *Run) Cancelling() bool { return r.cancelling }

// Finished reports whether the end of the run is recorded.
func (r *Run) Finished() bool { return r.finished }

// Done reports whether every stage is terminal. The run is then finished once its end is recorded.
func (r *Run) Done() bool { return r.stages.done() }

// Outcome returns the state of the run as a whole: Running until all stages are terminal, then
// Cancelled if the run or any stage was cancelled, else Failed if any failed, else Succeeded.
func (r *Run) Outcome() State {
	switch {
	case !r.Done():
		return Running
	case r.cancelling || r.Count(Cancelled) > 0:
		// Even if every remaining stage succeeded, as clean-ups do: the user who cancelled the run
		// must not read that it took its normal course.
		return Cancelled
	case r.Count(Failed) > 0:
		return Failed
	}

	return Succeeded
}

// Pending appends all commands that are still to be carried out: the first of a new run, and those
// that a coordinator finds when it has replayed the journal.
func (r *Run) Pending(commands []Command) []Command {
	return r.finish(r.pending(commands))
}

// finish commands the end of the run once every stage is terminal.
func (r *Run) finish(commands []Command) []Command {
	if r.Done() && !r.finished {
		commands = append(commands, Command{Type: Finish})
	}
	return commands
}
