package dag

import "fmt"

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

// declined is the column of the table for a StageSkipped that the stage's own attempt reports.
const declined = numStageEvents

// moves is the table of legal transitions: what an event does to a stage in a state.
// An event of an attempt before the stage's own is old news in every state.
var moves = [numStates][numStageEvents + 1]move{
	//          started   succeeded fail    lost    skipped  cancelled declined
	Waiting:   {impossible, impossible, impossible, impossible, skip, cancel, impossible},
	Ready:     {start, succeed, fail, lose, skip, cancel, skip},
	Running:   {start, succeed, fail, lose, impossible, cancel, skip},
	Retrying:  {start, succeed, fail, lose, skip, cancel, skip},
	Succeeded: {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
	Failed:    {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
	Skipped:   {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
	Cancelled: {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
}

// TransitionError says that an event cannot follow from what was applied before: the journal is
// damaged, or not this run's.
type TransitionError struct {
	Event   Event
	Name    string  // of the stage
	State   State   // that the stage was in
	Attempt Attempt // that the stage was in
	Missing int     // number of dependencies, or of its instances, that it waits for
}

// Error tells the story.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("stage %q cannot be %s (attempt %d): it is %s (attempt %d) and waits for %d others",
		e.Name, e.Event.Type, e.Event.Attempt, e.State, e.Attempt, e.Missing)
}

// Apply applies one event and appends to commands what follows from it. Events that repeat what is
// known, or that come from an attempt that another has replaced, change nothing. After an error the
// run is as it was before the event.
func (r *Run) Apply(e Event, commands []Command) ([]Command, error) {
	switch e.Type {
	case RunCancelling:
		return r.stop(commands), nil
	case RunReopened:
		return r.reopen(e.Stage, commands)
	case RunFinished:
		if !r.Done() {
			return commands, fmt.Errorf("dag: the run cannot be finished: not all of its %d stages are terminal", r.Total())
		}
		r.finished = true
		return commands, nil
	}

	if e.Type >= numStageEvents || int(max(e.Stage, e.Cause)) >= len(r.state) || e.Count > MaxInstances {
		return commands, fmt.Errorf("dag: event %+v does not fit a run of %d stages", e, len(r.state))
	}

	s := e.Stage
	attempted := e.Attempt > 0 || e.Type < StageSkipped
	if attempted && e.Attempt < r.attempt[s] {
		return commands, nil
	}

	do := moves[r.state[s]][e.Type]
	if do == skip || do == lose || e.Type == StageSkipped {
		do = r.check(do, &e)
	}

	if do == impossible {
		return commands, &TransitionError{e, r.Name(s), r.state[s], r.attempt[s], int(r.waiting[s])}
	}

	if attempted && do != ignore {
		r.attempt[s] = e.Attempt
	}
	return r.move(do, &e, commands), nil
}

// check returns the move if it is possible by what the table does not know.
func (r *Run) check(do move, e *Event) move {
	switch {
	case do == lose && e.Attempt == maxAttempt: // no number is left for the next
		return impossible
	case e.Type == StageSkipped && e.Attempt > 0:
		if do = moves[r.state[e.Stage]][declined]; e.Cause != e.Stage && do == skip {
			return impossible
		}
	case do == skip && e.Cause != e.Stage && !r.state[e.Cause].Terminal() && (r.verdict[e.Cause] != toSkip || r.cause[e.Cause] != e.Cause):
		return impossible // nothing has become of the root that could be a cause
	}

	return do
}

func (r *Run) move(do move, e *Event, commands []Command) []Command {
	s := e.Stage
	switch do {
	case start:
		r.set(s, Running)
		return commands
	case succeed:
		r.set(s, Succeeded)
		r.keepCount(s, e.Count)
		commands = r.ended(s, commands)
	case fail:
		commands = r.fail(s, e.Fatal, commands)
	case lose:
		r.attempt[s]++
		r.set(s, Ready)
		return r.due(s, commands)
	case skip:
		r.set(s, Skipped)
		r.setRoot(s, e.Cause)
		r.verdict[s] = r.fault(e)
		commands = r.ended(s, commands)

	case cancel:
		if e.Attempt > 0 || r.state[s] == Running {
			r.verdict[s] = executed
		}
		r.set(s, Cancelled)
		commands = r.ended(s, commands)

	case ignore:
		return commands
	}

	return r.finish(commands)
}

// fault keeps what a skip says about the stage: its root may be executed again later, and end in
// another way.
func (r *Run) fault(e *Event) verdict {
	switch {
	case e.Attempt > 0:
		return executed
	case r.state[e.Cause] == Failed:
		return afterFailure
	case r.state[e.Cause] == Cancelled:
		return afterCancelled
	}

	return undecided
}

// fail makes another attempt due, or ends the stage.
func (r *Run) fail(s StageID, fatal bool, commands []Command) []Command {
	if retries := r.rule(s).Retries; !fatal && int(r.failures[s]) < retries && r.attempt[s] < maxAttempt &&
		r.verdict[s] == undecided && r.barred(s) == undecided {
		if r.failures == nil {
			r.failures = make(map[StageID]uint16)
		}
		r.failures[s]++
		r.attempt[s]++
		r.set(s, Retrying)
		return r.due(s, commands)
	}

	r.set(s, Failed)
	commands = r.ended(s, commands)
	if r.rules.Stop && r.halt == NoStage {
		r.halt = s
		commands = r.sweep(commands)
	}

	return commands
}

// finish commands the run's end once every stage is terminal.
func (r *Run) finish(commands []Command) []Command {
	if r.Done() && !r.finished {
		commands = append(commands, Command{Type: Finish})
	}
	return commands
}
