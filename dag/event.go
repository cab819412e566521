package dag

import "fmt"

// Attempt numbers the executions of a stage, from 1.
type Attempt uint16

const maxAttempt = ^Attempt(0) // cannot be lost: no number is left for the next

// MaxRetries is the most that a [Rule] can promise: the numbers that are left are for attempts that
// get lost.
const MaxRetries = 60_000

// State is where a stage stands. The diagram is in the package comment.
type State uint8

// The states of a stage.
const (
	Waiting   State = iota // for its dependencies
	Ready                  // may be executed
	Running                // claimed by a worker
	Retrying               // failed, and waits for its next attempt
	Succeeded              // terminal, like all that follow
	Failed
	Skipped
	Cancelled
	numStates
)

var stateNames = [numStates]string{"waiting", "ready", "running", "retrying", "succeeded", "failed", "skipped", "cancelled"}

// String returns the state's name, such as "running".
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Terminal reports whether a stage in state s is done for good.
func (s State) Terminal() bool { return s >= Succeeded }

// EventType is the kind of an [Event].
type EventType uint8

// The facts that move a run.
const (
	StageStarted   EventType = iota // a worker claimed the attempt
	StageSucceeded                  // the attempt ended well
	// the attempt ended badly; another is due if the stage's rule has one left
	StageFailed
	StageLost    // the attempt's worker is gone; another attempt is due
	StageSkipped // the stage will not be executed; Root says why
	// the stage will not be executed, or was stopped, because the run is cancelled
	StageCancelled
	numStageEvents
	RunCancelling // somebody asked for the run's end
	RunFinished   // the run's end
	// somebody asked for a further try of a finished run: of Stage, or with [NoStage] of all that
	// did not go well
	RunReopened
	numEvents = iota // keep last
)

var eventNames = [numEvents]string{
	StageStarted: "started", StageSucceeded: "succeeded", StageFailed: "failed", StageLost: "lost",
	StageSkipped: "skipped", StageCancelled: "cancelled", RunCancelling: "run cancelling", RunFinished: "run finished", RunReopened: "run reopened",
}

// String returns the event type's name, such as "started".
func (t EventType) String() string {
	if int(t) < len(eventNames) && eventNames[t] != "" {
		return eventNames[t]
	}
	return fmt.Sprintf("EventType(%d)", uint8(t))
}

// NoStage is no stage's id.
const NoStage = ^StageID(0)

// MaxInstances is the highest Count of an [Event].
const MaxInstances = 10_000_000

// Event is one fact of a run, as the journal has it.
type Event struct {
	Type  EventType
	Fatal bool // of StageFailed: there must be no further attempt
	// of what a worker reports; 0 for the decision to skip or cancel a stage that does not run
	Attempt Attempt
	Stage   StageID
	// of StageSkipped: the stage that is the cause; itself if its own condition or trigger is
	Cause StageID
	Count uint32 // of StageSucceeded: how many elements the stage's output has, if it is a list
}

// CommandType is the kind of a [Command].
type CommandType uint8

// What a run asks its driver to do.
const (
	Dispatch CommandType = iota // have the attempt executed
	// have the attempt executed after a pause, which is the driver's to measure; see [Run.Failures]
	Retry
	Skip   // record that the stage is skipped because of Root
	Cancel // record that the stage, which is not running, is cancelled
	Finish // record that the run is finished; see [Run.Outcome]
)

var commandNames = [...]string{"dispatch", "retry", "skip", "cancel", "finish"}

// String returns the command type's name, such as "dispatch".
func (t CommandType) String() string {
	if int(t) < len(commandNames) {
		return commandNames[t]
	}
	return fmt.Sprintf("CommandType(%d)", uint8(t))
}

// Command is what a run asks its driver to do. Carrying one out twice must be harmless.
type Command struct {
	Type    CommandType
	Stage   StageID
	Attempt Attempt // of Dispatch, Retry
	Cause   StageID // of Skip
}
