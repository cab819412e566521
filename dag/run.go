package dag

import "fmt"

// Run is the state of one run of a graph. It is a function of the events that were applied to it, in order, and of nothing else.
// It is not safe for concurrent use.
type Run struct {
	graph    *Graph
	state    []State
	attempt  []Attempt // running: the attempt that runs; ready: the attempt that is due
	waiting  []uint32  // number of dependencies that have not succeeded; 0 once ready
	verdict  []verdict // undecided for every stage that may still be executed
	root     []StageID // stages with verdict toSkip: the cause; nil until there is one
	counts   [numStates]int
	stopping bool // the run is being cancelled
	finished bool
}

// verdict is what was decided about a stage before it could be executed. It is commanded once, and takes effect when it comes
// back as an event: a worker that claimed the stage in the meantime is not robbed of it.
type verdict uint8

const (
	undecided verdict = iota
	toSkip
	toCancel
)

// NewRun returns the run's state before its first event. [Run.Pending] says what to do first.
func NewRun(g *Graph) *Run {
	n := g.Len()
	r := &Run{graph: g, state: make([]State, n), attempt: make([]Attempt, n), waiting: make([]uint32, n), verdict: make([]verdict, n)}
	for s := range n {
		r.attempt[s] = 1
		if r.waiting[s] = uint32(len(g.Deps(StageID(s)))); r.waiting[s] == 0 {
			r.state[s] = Ready
		}
		r.counts[r.state[s]]++
	}
	return r
}

// Graph returns the graph that the run is of.
func (r *Run) Graph() *Graph { return r.graph }

// State returns where stage s stands.
func (r *Run) State(s StageID) State { return r.state[s] }

// Attempt returns the attempt that stage s is in, or that is due next; 1 at first.
func (r *Run) Attempt(s StageID) Attempt { return r.attempt[s] }

// Root returns the failed or cancelled stage because of which s is skipped. It means nothing for other stages.
func (r *Run) Root(s StageID) StageID {
	if r.root == nil {
		return s
	}
	return r.root[s]
}

// Count returns the number of stages in a state.
func (r *Run) Count(s State) int { return r.counts[s] }

// Cancelling reports whether somebody asked for the run's end.
func (r *Run) Cancelling() bool { return r.stopping }

// Finished reports whether the run's end is recorded.
func (r *Run) Finished() bool { return r.finished }

// Done reports whether every stage is terminal.
func (r *Run) Done() bool {
	return r.counts[Succeeded]+r.counts[Failed]+r.counts[Skipped]+r.counts[Cancelled] == len(r.state)
}

// Outcome returns the state of the run as a whole: Running until all stages are terminal, then Cancelled if
// any stage was cancelled, else Failed if any failed or was skipped, else Succeeded.
func (r *Run) Outcome() State {
	switch {
	case !r.Done():
		return Running
	case r.counts[Cancelled] > 0:
		return Cancelled
	case r.counts[Failed]+r.counts[Skipped] > 0:
		return Failed
	}
	return Succeeded
}

// move is an entry of the table of transitions.
type move uint8

const (
	impossible move = iota // cannot happen while the journal is whole
	ignore                 // old news
	start
	succeed
	fail
	lose
	skip
	cancel
)

// moves is the table of legal transitions: what an event does to a stage in a state.
// An event of an attempt before the stage's own is old news in every state.
var moves = [numStates][numStageEvents]move{
	//          started   succeeded fail    lost    skipped  cancelled
	Waiting:   {impossible, impossible, impossible, impossible, skip, cancel},
	Ready:     {start, succeed, fail, lose, skip, cancel},
	Running:   {start, succeed, fail, lose, impossible, cancel},
	Succeeded: {ignore, ignore, ignore, ignore, ignore, ignore},
	Failed:    {ignore, ignore, ignore, ignore, ignore, ignore},
	Skipped:   {ignore, ignore, ignore, ignore, ignore, ignore},
	Cancelled: {ignore, ignore, ignore, ignore, ignore, ignore},
}

// TransitionError says that an event cannot follow from what was applied before: the journal is damaged, or not this run's.
type TransitionError struct {
	Event   Event
	Name    string  // of the stage
	State   State   // that the stage was in
	Attempt Attempt // that the stage was in
	Missing int     // number of its dependencies that have not succeeded
}

// Error tells the story.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("stage %q cannot be %s (attempt %d): it is %s (attempt %d) and %d of its dependencies have not succeeded",
		e.Name, e.Event.Type, e.Event.Attempt, e.State, e.Attempt, e.Missing)
}

// Apply applies one event and appends to commands what follows from it. Events that repeat what is known, or that come from an
// attempt that another has replaced, change nothing. After an error the run is as it was before the event.
func (r *Run) Apply(e Event, commands []Command) ([]Command, error) {
	switch e.Type {
	case RunCancelling:
		return r.stop(commands), nil
	case RunFinished:
		if !r.Done() {
			return commands, fmt.Errorf("dag: the run cannot be finished: not all of its %d stages are terminal", len(r.state))
		}
		r.finished = true
		return commands, nil
	}
	if e.Type >= numStageEvents || int(max(e.Stage, e.Root)) >= len(r.state) {
		return commands, fmt.Errorf("dag: event %+v does not fit a run of %d stages", e, len(r.state))
	}
	s, attempted := e.Stage, e.Type != StageSkipped && e.Type != StageCancelled
	if attempted && e.Attempt < r.attempt[s] {
		return commands, nil
	}
	do := moves[r.state[s]][e.Type]
	if do == impossible || do == lose && e.Attempt == maxAttempt {
		return commands, &TransitionError{e, r.graph.Name(s), r.state[s], r.attempt[s], int(r.waiting[s])}
	}
	if attempted && do != ignore {
		r.attempt[s] = e.Attempt
	}
	return r.move(do, e, commands), nil
}

func (r *Run) move(do move, e Event, commands []Command) []Command {
	s := e.Stage
	switch do {
	case start:
		r.set(s, Running)
	case succeed:
		r.set(s, Succeeded)
		commands = r.release(s, commands)
	case fail:
		r.set(s, Failed)
		commands = r.doom(s, s, commands)
	case lose:
		r.attempt[s]++
		r.set(s, Ready)
		commands = r.due(s, commands)
	case skip:
		r.set(s, Skipped)
		r.decideSkip(s, e.Root)
		commands = r.doom(s, e.Root, commands)
	case cancel:
		r.set(s, Cancelled)
		commands = r.doom(s, s, commands)
	case ignore:
		return commands
	}
	return r.finish(commands)
}

// finish commands the run's end once every stage is terminal.
func (r *Run) finish(commands []Command) []Command {
	if r.Done() && !r.finished {
		commands = append(commands, Command{Type: Finish})
	}
	return commands
}

func (r *Run) set(s StageID, to State) {
	r.counts[r.state[s]]--
	r.counts[to]++
	r.state[s] = to
}

func (r *Run) decideSkip(s, root StageID) {
	r.verdict[s] = toSkip
	if r.root == nil {
		r.root = make([]StageID, len(r.state))
	}
	r.root[s] = root
}

// release tells the dependents of s that it succeeded.
func (r *Run) release(s StageID, commands []Command) []Command {
	for _, d := range r.graph.Dependents(s) {
		if r.waiting[d]--; r.waiting[d] == 0 && r.state[d] == Waiting {
			r.set(d, Ready)
			if r.verdict[d] == undecided {
				commands = r.due(d, commands)
			}
		}
	}
	return commands
}

// due commands what a stage that is ready, or decided, needs.
func (r *Run) due(s StageID, commands []Command) []Command {
	switch {
	case r.verdict[s] == toSkip:
		return append(commands, Command{Type: Skip, Stage: s, Root: r.root[s]})
	case r.stopping:
		r.verdict[s] = toCancel
		return append(commands, Command{Type: Cancel, Stage: s})
	}
	return append(commands, Command{Type: Dispatch, Stage: s, Attempt: r.attempt[s]})
}

// doom commands the skip of every stage that waits, directly or not, for s, which will never succeed.
func (r *Run) doom(s, root StageID, commands []Command) []Command {
	for first := len(commands); ; {
		for _, d := range r.graph.Dependents(s) {
			if r.verdict[d] == undecided && r.state[d] == Waiting {
				r.decideSkip(d, root)
				commands = r.due(d, commands)
			}
		}
		if first == len(commands) {
			return commands
		}
		s = commands[first].Stage
		first++
	}
}

// stop commands the cancellation of every stage that is neither running nor decided. Running stages are the workers' to stop.
func (r *Run) stop(commands []Command) []Command {
	if r.stopping || r.finished {
		return commands
	}
	r.stopping = true
	for s, state := range r.state {
		if r.verdict[s] == undecided && (state == Waiting || state == Ready) {
			commands = r.due(StageID(s), commands)
		}
	}
	return commands
}

// Pending appends everything that the run is still waiting for its driver to do: what a new driver does after replaying the
// journal, and what it does first in a new run.
func (r *Run) Pending(commands []Command) []Command {
	for s, state := range r.state {
		if state == Ready || state == Waiting && r.verdict[s] != undecided {
			commands = r.due(StageID(s), commands)
		}
	}
	return r.finish(commands)
}
