package dag

// triggers tells whether stages may start, by their rules and by the states of the stages that they
// wait for. Its methods change nothing.
type triggers struct {
	topology
	rules  Rules
	stages stageTable
}

var zeroRule Rule

// rule returns the rule of a stage. An instance has the rule of its mapped stage.
func (t *triggers) rule(s StageID) *Rule {
	if t.rules.KindOf == nil {
		return &zeroRule
	}
	return &t.rules.Kinds[t.rules.KindOf[t.GraphStage(s)]]
}

// countMissing counts the stages that s waits for. A mapped stage with instances waits until these
// are terminal. Every other stage waits for its dependencies: until they succeed if its trigger is
// AllSuccess and it does not gather, else until they are terminal.
func (t *triggers) countMissing(s StageID) (n uint32) {
	base, instances, _ := t.Instances(s)
	for _, state := range t.stages.state[base : base+StageID(instances)] {
		if !state.Terminal() {
			n++
		}
	}

	// Instances wait for nothing. A mapped stage has stopped waiting for its dependencies once its
	// trigger held, even if some of them still run, as with AnySuccess.
	if int(s) >= t.graph.Len() || t.expanded(s) {
		return n
	}

	rule := t.rule(s)
	needsSuccess := rule.Trigger == AllSuccess && !rule.Gather
	for _, d := range t.graph.Deps(s) {
		if state := t.stages.state[d]; needsSuccess && state != Succeeded || !state.Terminal() {
			n++
		}
	}

	return n
}

// evalTrigger reports whether the trigger of a waiting stage holds, and if not, whether it never
// will.
func (t *triggers) evalTrigger(s StageID) (holds, never bool) {
	deps := t.graph.Deps(s)
	all := t.stages.missing[s] == 0
	switch t.rule(s).Trigger {
	case AnySuccess:
		// A stage without dependencies starts at once, as it does with AllSuccess.
		holds = len(deps) == 0
		for i := 0; i < len(deps) && !holds; i++ {
			holds = t.stages.state[deps[i]] == Succeeded
		}

	case AnyFailed:
		for i := 0; i < len(deps) && !holds; i++ {
			holds = t.stages.failed(deps[i])
		}
	default:
		holds = all
	}

	return holds, all && !holds
}

// unmetCause returns the cause of the skip of a stage whose trigger never holds although all of its
// dependencies are terminal.
func (t *triggers) unmetCause(s StageID) StageID {
	// With AnyFailed no dependency failed: none is to blame.
	if t.rule(s).Trigger == AnyFailed {
		return s
	}

	// With AnySuccess none succeeded. A failure explains that better than a condition, so users are
	// shown a failure if there is one.
	deps := t.graph.Deps(s)
	for _, d := range deps {
		if t.stages.failed(d) {
			return t.stages.causeOf(d)
		}
	}

	return t.stages.causeOf(deps[0])
}

// requires reports whether stage s cannot be executed because its dependency d did not succeed. The
// dependency is terminal, or will be skipped.
func (t *triggers) requires(s, d StageID) bool {
	rule := t.rule(s)
	return rule.Trigger == AllSuccess && !(rule.Gather && t.stages.selfSkipped(d)) || rule.Each != nil && *rule.Each == d
}

// succeededFor reports whether the terminal dependency d counts as a success for stage s.
func (t *triggers) succeededFor(d, s StageID) bool {
	return t.stages.state[d] == Succeeded || t.rule(s).Gather && t.stages.selfSkipped(d)
}

// withheld reports whether the decision about stage s is not commanded yet, because stages whose
// outputs it would have gathered are not terminal. For the stages after s, such as a clean-up,
// they are part of s: a clean-up must not start while one of them runs.
func (t *triggers) withheld(s StageID) bool {
	return t.stages.decision[s] != undecided && t.stages.state[s] == Waiting && t.stages.missing[s] > 0 &&
		(t.rule(s).Gather || t.expanded(s))
}
