package godags

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runstate"
)

// Report says how a run ended. Its JSON form has fields of `run --output json`.
type Report struct {
	Run    string   `json:"run"`   // run ID
	State  RunState `json:"state"` // succeeded, failed or cancelled
	Stages Counts   `json:"stages"`

	// By the clock of Redis.
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`

	// Outputs has the outputs of the stages without dependents, of at most 1,000 of them: JSON as
	// it is, text as a JSON string, other bytes as {"codec": ..., "base64": ...}. [Result] decodes
	// one into its type. Outputs of any size are held in memory: a stage should store a very large
	// one, and return where it is.
	Outputs map[string]json.RawMessage `json:"outputs"`
}

// StageError is a stage that failed.
type StageError struct {
	Stage   string `json:"stage"`
	Attempt int    `json:"attempt"`
	Message string `json:"error"`

	err error
}

// Error names the stage and the reason.
func (e *StageError) Error() string { return fmt.Sprintf("stage %q: %s", e.Stage, e.Message) }

// Unwrap returns the error that the function of the stage returned, if this process executed the
// attempt; else nil.
func (e *StageError) Unwrap() error { return e.err }

// RunError says that a run failed or was cancelled. Use errors.As to find it in an error: the error
// may say more. errors.As finds the first of its [StageError] values, too.
type RunError struct {
	Run    string
	State  RunState      // failed or cancelled
	Failed []*StageError // in order of time
}

// Error names the run and the first 10 stages that failed.
func (e *RunError) Error() string {
	const most = 10
	var b strings.Builder
	fmt.Fprintf(&b, "run %s %s", e.Run, e.State)
	for i, f := range e.Failed {
		// A run may have a million stages that fail for the same reason.
		if i == most {
			fmt.Fprintf(&b, "\n  ... and %d more", len(e.Failed)-i)
			break
		}
		b.WriteString("\n  " + f.Error())
	}

	return b.String()
}

// Unwrap returns the stages that failed.
func (e *RunError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f
	}
	return errs
}

// newReport returns the report of a finished run, and a [*RunError] if the run did not succeed.
func newReport(ctx context.Context, session *engine.Session, run *runstate.Run) (*Report, error) {
	outputs, err := run.Outputs(ctx, session.Journal, session.Stores, runstate.AnySize)

	r := run.Result(run.Finished)
	// Counts come from the same projection as `status`, so that both say the same.
	report := &Report{
		Run:      r.Run,
		State:    RunState(r.State),
		Stages:   newCounts(r.Stages.Total, r.Stages.Outcomes),
		Started:  run.Submitted,
		Finished: run.Finished,
		Outputs:  outputs,
	}

	// The report is returned with the errors: what did succeed is worth having.
	return report, errors.Join(outcome(run), err)
}

// outcome is nil for a run that succeeded.
func outcome(run *runstate.Run) error {
	if run.DAG.Outcome() == dag.Succeeded {
		return nil
	}

	e := &RunError{Run: string(run.ID), State: RunState(run.DAG.Outcome().String())}
	for _, f := range run.Failures {
		e.Failed = append(e.Failed, &StageError{Stage: run.Name(f.Stage), Attempt: int(f.Attempt), Message: f.Text})
	}
	return e
}
