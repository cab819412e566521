package dag

import "fmt"

// Attempt numbers the executions of a stage, from 1.
type Attempt uint16

// maxAttempt cannot be lost: no number is left for the next attempt.
const maxAttempt = ^Attempt(0)

// MaxRetries is the highest number of retries that a [Rule] can have. The remaining attempt numbers
// are for attempts that get lost.
const MaxRetries = 60_000

// State is the state of a stage. The diagram is in the package comment.
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

// Terminal reports whether state s is final.
func (s State) Terminal() bool { return s >= Succeeded }

// EventType is the kind of an [Event].
type EventType uint8

// The facts that change a run.
const (
	StageStarted   EventType = iota // a worker claimed the attempt
	StageSucceeded                  // the attempt succeeded
	// the attempt failed; another one follows if the stage's rule has retries left
	StageFailed
	StageLost    // the attempt's worker died or became unreachable; another attempt follows
	StageSkipped // the stage will not be executed because of Cause
	// the stage will not be executed, or was stopped, because the run is cancelled
	StageCancelled
	numStageEvents
	RunCancelling // a cancellation was requested
	RunFinished   // the end of the run is recorded
	// the finished run was reopened, to execute again Stage, or with [NoStage] all stages that did
	// not succeed: see [Run.Reopened]
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

// NoStage is an id that no stage has.
const NoStage = ^StageID(0)

// MaxInstances is the highest Count of an [Event].
const MaxInstances = 10_000_000

// Event is the part of a record of the journal that changes the state of a run. Records also have
// texts, durations and workers, on which the state does not depend.
type Event struct {
	Type  EventType
	Fatal bool // of StageFailed: no retry, even if some are left
	// of what a worker reports; 0 for a decision to skip or cancel a stage that is not running
	Attempt Attempt
	Stage   StageID
	// of StageSkipped: the stage that is the cause; the stage itself if its own condition or
	// trigger was not met
	Cause StageID
	Count uint32 // of StageSucceeded: the length of the stage's output, if it is a list
}

// CommandType is the kind of a [Command].
type CommandType uint8

// The commands of a run to its coordinator.
const (
	Dispatch CommandType = iota // get the attempt executed
	// get the attempt executed after a back-off, which the coordinator computes from [Run.Failures]
	Retry
	Skip   // record that the stage is skipped because of Cause
	Cancel // record that the stage, which is not running, is cancelled
	Finish // record the end of the run; see [Run.Outcome]
)

var commandNames = [...]string{"dispatch", "retry", "skip", "cancel", "finish"}

// String returns the command type's name, such as "dispatch".
func (t CommandType) String() string {
	if int(t) < len(commandNames) {
		return commandNames[t]
	}
	return fmt.Sprintf("CommandType(%d)", uint8(t))
}

// Command is what a run asks its coordinator to do. Carrying one out twice must be harmless.
type Command struct {
	Type    CommandType
	Stage   StageID
	Attempt Attempt // of Dispatch, Retry
	Cause   StageID // of Skip
}
