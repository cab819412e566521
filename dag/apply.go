package dag

import "fmt"

// transition is an entry of the table of transitions.
type transition uint8

const (
	impossible transition = iota // cannot happen while the journal is whole
	ignore                       // the event is old: a fact that the run knows or has moved past
	start
	succeed
	fail
	lose
	skip
	cancel
)

// skippedByAttempt is the column of the table for a StageSkipped that an attempt of the stage
// reports: its condition is false.
const skippedByAttempt = numStageEvents

// transitions is the table of legal transitions: what an event does to a stage in a state. An event
// of an older attempt than the stage's is ignored in every state.
//
// A ready or retrying stage may succeed or fail without having started: the journal may have lost
// the start in an outage of Redis while the worker went on.
var transitions = [numStates][numStageEvents + 1]transition{
	//          started   succeeded fail    lost    skipped  cancelled skippedByAttempt
	Waiting:   {impossible, impossible, impossible, impossible, skip, cancel, impossible},
	Ready:     {start, succeed, fail, lose, skip, cancel, skip},
	Running:   {start, succeed, fail, lose, impossible, cancel, skip},
	Retrying:  {start, succeed, fail, lose, skip, cancel, skip},
	Succeeded: {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
	Failed:    {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
	Skipped:   {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
	Cancelled: {ignore, ignore, ignore, ignore, ignore, ignore, ignore},
}

// TransitionError reports an event that cannot follow from the events before it: the journal is
// damaged, or belongs to another run.
type TransitionError struct {
	Event   Event
	Name    string  // of the stage
	State   State   // of the stage before the event
	Attempt Attempt // of the stage before the event
	Missing int     // number of dependencies or instances that the stage waits for
}

// Error names the stage, the event, and the state before it.
func (e *TransitionError) Error() string {
	return fmt.Sprintf("stage %q cannot be %s (attempt %d): it is %s (attempt %d) and waits for %d others",
		e.Name, e.Event.Type, e.Event.Attempt, e.State, e.Attempt, e.Missing)
}

// Apply applies one event and appends the commands that follow from it. Events that repeat a known
// fact, or that come from an attempt that another one has replaced, change nothing. After an error
// the run is as it was before the event.
func (r *Run) Apply(e Event, commands []Command) ([]Command, error) {
	switch e.Type {
	case RunCancelling:
		if r.cancelling || r.finished {
			return commands, nil
		}
		return r.cancel(commands), nil
	case RunReopened:
		return r.reopen(e.Stage, commands)
	case RunFinished:
		if !r.Done() {
			return commands, fmt.Errorf("dag: the run cannot be finished: not all of its %d stages are terminal", r.Total())
		}
		r.finished = true
		return commands, nil
	}

	if e.Type >= numStageEvents || int(max(e.Stage, e.Cause)) >= r.Len() || e.Count > MaxInstances {
		return commands, fmt.Errorf("dag: event %+v does not fit a run of %d stages", e, r.Len())
	}

	s := e.Stage
	reported := e.Attempt > 0 || e.Type < StageSkipped // by a worker, not decided by a coordinator
	if reported && e.Attempt < r.stages.attempt[s] {
		return commands, nil
	}

	do := transitions[r.stages.state[s]][e.Type]
	if do == skip || do == lose || e.Type == StageSkipped {
		do = r.check(do, &e)
	}

	if do == impossible {
		return commands, &TransitionError{e, r.Name(s), r.stages.state[s], r.stages.attempt[s], int(r.stages.missing[s])}
	}

	// The attempt may be newer than the known one: a journal that lost entries lost its start.
	if reported && do != ignore {
		r.stages.attempt[s] = e.Attempt
	}
	return r.perform(do, &e, commands), nil
}

// check refines what the table says about a skip or a loss, which depends on more than the state.
func (r *Run) check(do transition, e *Event) transition {
	switch {
	case do == lose && e.Attempt == maxAttempt:
		return impossible // no number is left for the next attempt
	case e.Type == StageSkipped && e.Attempt > 0:
		if do = transitions[r.stages.state[e.Stage]][skippedByAttempt]; e.Cause != e.Stage && do == skip {
			return impossible // a worker evaluates only the condition of the stage that it executes
		}
	case do == skip && e.Cause != e.Stage && !r.canBeCause(e.Cause):
		return impossible
	}

	return do
}

// canBeCause reports whether other stages may be skipped because of s: it is terminal, or will be
// skipped because of itself.
func (r *Run) canBeCause(s StageID) bool {
	return r.stages.state[s].Terminal() || r.stages.decision[s] == willSkip && r.stages.cause[s] == s
}

// perform carries out a transition and appends the commands that follow from it.
func (r *Run) perform(do transition, e *Event, commands []Command) []Command {
	s := e.Stage
	switch do {
	case ignore:
		return commands
	case start:
		r.stages.set(s, Running)
		return commands
	case succeed:
		r.stages.set(s, Succeeded)
		r.setElements(s, e.Count)
		commands = r.stageDone(s, commands)
	case fail:
		commands = r.fail(s, e.Fatal, commands)
	case lose:
		// Not counted as a failure: losing a worker is not the fault of the stage.
		r.stages.attempt[s]++
		r.stages.set(s, Ready)
		return r.command(s, commands)
	case skip:
		r.stages.set(s, Skipped)
		r.stages.setCause(s, e.Cause)
		r.stages.setEnding(s, r.endingOfSkip(e))
		commands = r.stageDone(s, commands)

	case cancel:
		// A reopened run must not use the number of an attempt that a worker had claimed.
		if e.Attempt > 0 || r.stages.state[s] == Running {
			r.stages.setEnding(s, whileClaimed)
		}
		r.stages.set(s, Cancelled)
		commands = r.stageDone(s, commands)
	}

	return r.finish(commands)
}

// endingOfSkip returns how a stage came to be skipped, by the event and the present state of its
// cause.
func (r *Run) endingOfSkip(e *Event) ending {
	switch {
	case e.Attempt > 0:
		return whileClaimed
	case r.stages.state[e.Cause] == Failed:
		return afterFailure
	case r.stages.state[e.Cause] == Cancelled:
		return afterCancellation
	}

	return byDecision
}

// fail commands another attempt, or ends the stage.
func (r *Run) fail(s StageID, fatal bool, commands []Command) []Command {
	// A stage that will be skipped or cancelled is not retried: its command is out already, and
	// takes effect once no attempt runs.
	left := int(r.stages.failures[s]) < r.rule(s).Retries && r.stages.attempt[s] < maxAttempt
	if left && !fatal && r.stages.decision[s] == undecided && r.earlyEndDecision(s) == undecided {
		r.stages.addFailure(s)
		return r.command(s, commands)
	}

	r.stages.set(s, Failed)
	commands = r.stageDone(s, commands)
	return r.stopAfter(s, commands)
}
