package godags

// RunState is the state of a run.
type RunState string

// The states of a run.
const (
	StateQueued     RunState = "queued"     // submitted; no coordinator has taken the run yet
	StateRunning    RunState = "running"    // a coordinator owns the run
	StateCancelling RunState = "cancelling" // running stages are being stopped
	StateStalled    RunState = "stalled"    // its coordinator has stopped; the next resumes it
	StateSucceeded  RunState = "succeeded"  // finished: no stage failed
	StateFailed     RunState = "failed"     // finished: a stage failed
	StateCancelled  RunState = "cancelled"  // finished: by a user or a time limit cancelled the run
	StateDamaged    RunState = "damaged"    // the journal of the run cannot be read
	StateNewer      RunState = "newer"      // only a newer godags can read the journal of the run
)

// Done reports whether the run is finished: it succeeded, failed or was cancelled.
func (s RunState) Done() bool {
	return s == StateSucceeded || s == StateFailed || s == StateCancelled
}

// EventType is the type of an [Event].
type EventType string

// The types of events.
const (
	EventRunSubmitted   EventType = "run.submitted"   // the first event of a run
	EventRunCancelling  EventType = "run.cancelling"  // the run is being cancelled
	EventRunFinished    EventType = "run.finished"    // the last event, unless the run is retried
	EventRunReopened    EventType = "run.reopened"    // the run is retried
	EventStageStarted   EventType = "stage.started"   // a worker has claimed the attempt
	EventStageSucceeded EventType = "stage.succeeded" // the stage succeeded
	EventStageRetrying  EventType = "stage.retrying"  // the attempt failed; the next is due at Next
	EventStageFailed    EventType = "stage.failed"    // the stage failed finally
	EventStageLost      EventType = "stage.lost"      // the worker died or requeued the attempt
	EventStageSkipped   EventType = "stage.skipped"   // the stage is not executed
	EventStageCancelled EventType = "stage.cancelled" // the stage is not executed, or was stopped
)

// ReasonCode is the code of a [Reason].
type ReasonCode string

// The reasons why a stage is not running.
const (
	ReasonDependencies ReasonCode = "dependencies" // stages that it depends on are not finished
	ReasonRetry        ReasonCode = "retry"        // the next attempt waits for its back-off
	ReasonNoWorker     ReasonCode = "no_worker"    // no live worker can run it
	ReasonKeyMismatch  ReasonCode = "key_mismatch" // the live workers have another key than the run
	ReasonMaxParallel  ReasonCode = "max_parallel" // as many instances run as MaxParallel allows
	ReasonQueued       ReasonCode = "queued"       // no free slot on its queue, or starts soon
	ReasonQueuePaused  ReasonCode = "queue_paused" // its queue is paused in Redis
	ReasonBatch        ReasonCode = "batch"        // a worker has it, and no free slot yet
	ReasonRunQueued    ReasonCode = "run_queued"   // no coordinator has taken the run yet
	ReasonRunStalled   ReasonCode = "run_stalled"  // the coordinator of the run has stopped
	ReasonCancelling   ReasonCode = "cancelling"   // the run is being cancelled
)
