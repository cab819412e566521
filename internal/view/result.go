package view

import (
	"encoding/json"
	"time"

	"github.com/godags/godags/dag"
)

// Result is the run as programs read it: what `run --output json` prints. Its form is a promise.
type Result struct {
	Run      string                     `json:"run"`
	Pipeline string                     `json:"pipeline"`
	State    string                     `json:"state"` // succeeded, failed, cancelled; or running
	Stages   Counts                     `json:"stages"`
	Started  time.Time                  `json:"started"`
	Finished *time.Time                 `json:"finished"` // null while the run goes on
	Seconds  float64                    `json:"seconds"`  // from submission to the end of the run
	Outputs  map[string]json.RawMessage `json:"outputs,omitzero"`
}

// Counts are numbers of stages.
type Counts struct {
	Total     int `json:"total"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
	Cancelled int `json:"cancelled"`
}

// Result returns the run without its outputs.
func (r *Run) Result(now time.Time) Result {
	s := r.State
	result := Result{
		Run: string(r.ID), Pipeline: r.Spec.Name, State: dag.Running.String(), Started: r.Submitted.UTC(),
		Stages:  Counts{s.Total(), s.Count(dag.Succeeded), s.Count(dag.Failed), s.Count(dag.Skipped), s.Count(dag.Cancelled)},
		Seconds: r.Elapsed(now).Seconds(),
	}
	if s.Finished() {
		at := r.Finished.UTC()
		result.State, result.Finished = s.Outcome().String(), &at
	}
	return result
}
