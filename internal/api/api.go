// Package api defines the JSON form of runs, stages, events, workers and problems.
//
// There is one form per thing. The command line prints it with --output json, `events` prints it
// line by line, and the Go client returns it. A field is never renamed or removed within one
// [Version]; readers must ignore fields that they do not know.
//
// All times are those of the Redis clock, in UTC. All durations are seconds.
package api

import (
	"encoding/json"
	"time"
)

// Version is the version of every form in this package.
const Version = 1

// Run is one run of a pipeline.
type Run struct {
	Run      string                     `json:"run"` // the run ID
	Pipeline string                     `json:"pipeline"`
	State    string                     `json:"state"` // see the State constants
	Stages   Counts                     `json:"stages"`
	Started  time.Time                  `json:"started"`  // when the run was submitted
	Finished *time.Time                 `json:"finished"` // null while the run is active
	Seconds  float64                    `json:"seconds"`  // until it finished, or until now
	Outputs  map[string]json.RawMessage `json:"outputs,omitzero"`
}

// The states of a run. The first three are final.
const (
	Succeeded  = "succeeded"
	Failed     = "failed"
	Cancelled  = "cancelled"
	Running    = "running"
	Cancelling = "cancelling" // running stages are being stopped
	Queued     = "queued"     // submitted, but no coordinator has taken the run yet
	Stalled    = "stalled"    // the coordinator of the run has stopped
	Damaged    = "damaged"    // the journal of the run cannot be read
	Newer      = "newer"      // only a newer godags can read the journal of the run
)

// RunStates lists the states of a run in the order in which help texts name them.
func RunStates() []string {
	return []string{Running, Cancelling, Queued, Stalled, Succeeded, Failed, Cancelled, Damaged, Newer}
}

// HasCoordinator reports whether a coordinator owns a run in this state, or needs none because the
// run is finished.
func HasCoordinator(state string) bool { return state != Queued && state != Stalled }

// Counts are numbers of stages. Instances of a fan-out count like stages.
type Counts struct {
	Total int `json:"total"`
	*Outcomes
}

// Outcomes are the numbers of finished stages. A list of runs omits them while a run is active.
type Outcomes struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
	Cancelled int `json:"cancelled"`
}

// Status is a run with the stages that run, wait and failed.
type Status struct {
	Run
	Values   string                     `json:"values"` // where values between stages are stored
	Params   map[string]json.RawMessage `json:"params,omitempty"`
	Redis    string                     `json:"redis"`    // external, private or in-process
	Active   []ActiveStage              `json:"active"`   // longest running first
	Failures []FailedStage              `json:"failures"` // in the order in which they failed
	Waiting  []WaitingStage             `json:"waiting"`  // in the order of the pipeline
	Unserved []UnservedQueue            `json:"unserved"`
}

// ActiveStage is a stage that a worker executes now.
type ActiveStage struct {
	Stage   string    `json:"stage"`
	Attempt int       `json:"attempt"`
	Worker  string    `json:"worker"`
	Since   time.Time `json:"since"`
}

// FailedStage is a stage that failed and will not be retried.
type FailedStage struct {
	Stage   string `json:"stage"`
	Attempt int    `json:"attempt"`
	Worker  string `json:"worker"`
	Error   string `json:"error"`
}

// WaitingStage is a stage that is neither running nor finished.
type WaitingStage struct {
	Stage  string `json:"stage"`
	State  string `json:"state"` // waiting, ready or retrying
	Reason Reason `json:"reason"`
}

// Reason says why a stage is not running.
type Reason struct {
	Code string `json:"code"` // see the Reason constants
	Text string `json:"text"` // one sentence for people
}

// The codes of a [Reason].
const (
	ReasonDependencies = "dependencies" // stages that it depends on are not finished
	ReasonRetry        = "retry"        // the next attempt waits for its back-off
	ReasonNoWorker     = "no_worker"    // no live worker can run it
	ReasonKeyMismatch  = "key_mismatch" // the live workers have another signing key than the run
	ReasonMaxParallel  = "max_parallel" // max_parallel instances are running
	// every slot of its queue is busy, or a worker is about to take it
	ReasonQueued     = "queued"
	ReasonPaused     = "queue_paused" // its queue is paused in Redis
	ReasonBatch      = "batch"        // a worker has taken it, and has no free slot yet
	ReasonRunQueued  = "run_queued"   // no coordinator has taken the run yet
	ReasonRunStalled = "run_stalled"  // the coordinator of the run has stopped
	ReasonCancelling = "cancelling"   // the run is being cancelled
	ReasonRedis      = "redis"        // Redis is unreachable
)

// UnservedQueue is a queue in which stages wait although no live worker can run them.
type UnservedQueue struct {
	Queue string `json:"queue"`
	// the handler that no worker has; empty: no worker listens on the queue
	Task   string `json:"task,omitempty"`
	Stages int    `json:"stages"`

	// Unhealthy names a worker on the queue that cannot execute stages, and says why.
	Unhealthy string `json:"unhealthy,omitempty"`

	Paused string `json:"paused,omitempty"` // the key in Redis that pauses the queue
}

// Problem is an error, as programs read it.
type Problem struct {
	Code    string `json:"code"`           // such as unknown_run
	Message string `json:"message"`        // what happened, and where
	Hint    string `json:"hint,omitempty"` // what to do
}
