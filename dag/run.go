package dag

import "iter"

// Run is the state of one run of a graph. It is a function of the events that were applied to it,
// in order, and of nothing else. It is not safe for concurrent use.
//
// Slices have an element for each stage of the graph, then one for each instance.
type Run struct {
	graph *Graph
	rules Rules
	state []State
	// running: the attempt that runs; ready, retrying: the attempt that is due
	attempt []Attempt
	waiting []uint32  // what a stage waits for still; see Run.missing
	verdict []verdict // undecided for every stage that may still be executed
	// of stages that are skipped, or are to be: the cause; nil until there is one
	cause []StageID
	// of stages that had a further attempt because one failed: how many failed before it
	failures map[StageID]uint16
	elements map[StageID]uint32 // of stages that succeeded with a list: its length
	fans     []fan              // in order of base; some are replaced by later ones
	// by template: index of its newest fan, if there is one that counts
	fanOf map[StageID]int
	// by template: the first attempt of each of its next instances, by index; 1 beyond
	resumed  map[StageID][]Attempt
	counts   [numStates]int // of the stages that count
	replaced int            // instances that do not count any more
	// the failure after which nothing more is begun; NoStage until there is one
	halt     StageID
	stopping bool // the run is being cancelled
	finished bool
}

// verdict is what was decided about a stage before it could be executed. It is commanded once, and
// takes effect when it comes back as an event: a worker that claimed the stage in the meantime is
// not robbed of it.
type verdict uint8

const (
	undecided verdict = iota
	toSkip
	toCancel

	// Of stages that are skipped or cancelled:
	executed       // it had been begun
	afterFailure   // its root failed
	afterCancelled // its root was cancelled
)

// NewRun returns the run's state before its first event. [Run.Pending] says what to do first. The
// run keeps the rules, which must fit the graph: an index of a kind for every stage, and for every
// stage with instances a dependency that says how many.
func NewRun(g *Graph, rules Rules) *Run {
	n := g.Len()
	r := &Run{
		graph: g, rules: rules, halt: NoStage,
		state: make([]State, n), attempt: make([]Attempt, n), waiting: make([]uint32, n), verdict: make([]verdict, n),
	}
	r.counts[Waiting] = n
	for s := range StageID(n) {
		r.attempt[s] = 1
		if r.waiting[s] = uint32(len(g.Deps(s))); r.waiting[s] == 0 && rules.KindOf == nil {
			r.set(s, Ready)
		}
	}

	if rules.KindOf != nil {
		var commands []Command // those of Pending
		for _, s := range g.Topological() {
			commands = r.settle(s, commands[:0])
		}
	}

	return r
}

// Graph returns the graph that the run is of.
func (r *Run) Graph() *Graph { return r.graph }

// Len returns the number of ids of stages that are in use: all ids below it are. It grows when a
// stage gets its instances.
func (r *Run) Len() int { return len(r.state) }

// Total returns the number of stages that count: those of the graph, and the instances that are not
// replaced.
func (r *Run) Total() int { return len(r.state) - r.replaced }

// Stages yields the stages that count, in order of id.
func (r *Run) Stages() iter.Seq[StageID] {
	return func(yield func(StageID) bool) {
		for s := range StageID(r.graph.Len()) {
			if !yield(s) {
				return
			}
		}

		for i, f := range r.fans {
			if newest, ok := r.fanOf[f.template]; !ok || newest != i {
				continue
			}
			for s := f.base; s < f.base+StageID(f.n); s++ {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// State returns where stage s stands.
func (r *Run) State(s StageID) State { return r.state[s] }

// Attempt returns the attempt that stage s is in, or that is due next; 1 at first.
func (r *Run) Attempt(s StageID) Attempt { return r.attempt[s] }

// Failures returns how many attempts of stage s failed and were followed by another.
func (r *Run) Failures(s StageID) int { return int(r.failures[s]) }

// Cause returns the stage because of which s is skipped: one that failed or was cancelled, or one
// whose own condition or trigger was not met, which may be s itself. It means nothing for other
// stages.
func (r *Run) Cause(s StageID) StageID {
	if r.cause == nil {
		return s
	}
	return r.cause[s]
}

// Count returns the number of stages in a state.
func (r *Run) Count(s State) int { return r.counts[s] }

// Cancelling reports whether somebody asked for the run's end.
func (r *Run) Cancelling() bool { return r.stopping }

// Finished reports whether the run's end is recorded.
func (r *Run) Finished() bool { return r.finished }

// Done reports whether every stage is terminal.
func (r *Run) Done() bool {
	return r.counts[Succeeded]+r.counts[Failed]+r.counts[Skipped]+r.counts[Cancelled] == r.Total()
}

// Outcome returns the state of the run as a whole: Running until all stages are terminal, then
// Cancelled if the run or any stage was cancelled, else Failed if any failed, else Succeeded. A run
// that was cancelled is Cancelled even if every stage that was left succeeded, as clean-ups do:
// whoever cancelled it must not be told that it went its normal way.
func (r *Run) Outcome() State {
	switch {
	case !r.Done():
		return Running
	case r.stopping || r.counts[Cancelled] > 0:
		return Cancelled
	case r.counts[Failed] > 0:
		return Failed
	}

	return Succeeded
}

var zeroRule Rule

// rule returns the rule of a stage; an instance has its template's.
func (r *Run) rule(s StageID) *Rule {
	if r.rules.KindOf == nil {
		return &zeroRule
	}
	if template, _, ok := r.Instance(s); ok {
		s = template
	}
	return &r.rules.Kinds[r.rules.KindOf[s]]
}

func (r *Run) set(s StageID, to State) {
	r.counts[r.state[s]]--
	r.counts[to]++
	r.state[s] = to
}

func (r *Run) setRoot(s, root StageID) {
	if r.cause == nil {
		r.cause = make([]StageID, len(r.state))
	}
	r.cause[s] = root
}

// causeOf returns the stage because of which s, which is skipped, failed or cancelled, or is to be
// skipped, did not go well.
func (r *Run) causeOf(s StageID) StageID {
	if r.state[s] == Skipped || r.state[s] == Waiting && r.verdict[s] == toSkip {
		return r.cause[s]
	}
	return s
}

// failed reports whether stage s failed, or was skipped because another did.
func (r *Run) failed(s StageID) bool {
	return r.state[s] == Failed || r.state[s] == Skipped && r.verdict[s] == afterFailure
}
