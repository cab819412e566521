package dag

// missing counts what a stage waits for: a template its instances, once it has them, until they are
// at their end; any other stage its dependencies, until they succeed or, if it gathers or its
// trigger is another than AllSuccess, until they are at their end.
func (r *Run) missing(s StageID) (n uint32) {
	base, instances, _ := r.Instances(s)
	for _, state := range r.state[base : base+StageID(instances)] {
		if !state.Terminal() {
			n++
		}
	}

	if int(s) >= r.graph.Len() || r.expanded(s) {
		return n
	}

	rule := r.rule(s)
	success := rule.Trigger == AllSuccess && !rule.Gather
	for _, d := range r.graph.Deps(s) {
		if state := r.state[d]; success && state != Succeeded || !state.Terminal() {
			n++
		}
	}

	return n
}

// settle decides what becomes of a stage of which nothing is decided, by how its dependencies
// stand, of which everything is.
func (r *Run) settle(s StageID, commands []Command) []Command {
	if int(s) >= r.graph.Len() {
		return r.open(s, commands)
	}

	if base, n, ok := r.Instances(s); ok {
		for i := base; i < base+StageID(n); i++ {
			if r.state[i].Terminal() && !r.right(i) {
				return r.doom(s, r.causeOf(i), commands)
			}
		}

		if r.waiting[s] == 0 {
			commands = r.open(s, commands)
		}
		return commands
	}

	for _, d := range r.graph.Deps(s) {
		lost := r.state[d].Terminal() && r.state[d] != Succeeded || r.state[d] == Waiting && r.verdict[d] == toSkip
		if lost && r.needs(s, d) {
			return r.doom(s, r.causeOf(d), commands)
		}
	}

	switch holds, never := r.judge(s); {
	case holds:
		commands = r.enter(s, commands)
	case never:
		commands = r.doom(s, r.unmet(s), commands)
	}

	return commands
}
