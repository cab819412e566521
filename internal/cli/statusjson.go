package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/view"
)

// statusJSON is a run for programs: what `run --output json` prints, and more.
type statusJSON struct {
	view.Result
	Values   string                     `json:"values"`
	Params   map[string]json.RawMessage `json:"params,omitempty"`
	Redis    string                     `json:"redis"`
	Active   []activeStage              `json:"active"`
	Failures []failedStage              `json:"failures"`
	Unserved []unservedQueue            `json:"unserved"`
}

type activeStage struct {
	Stage   string      `json:"stage"`
	Attempt dag.Attempt `json:"attempt"`
	Worker  string      `json:"worker"`
	Since   time.Time   `json:"since"`
}

type failedStage struct {
	Stage   string      `json:"stage"`
	Attempt dag.Attempt `json:"attempt"`
	Worker  string      `json:"worker"`
	Error   string      `json:"error"`
}

// unservedQueue is a queue with stages that wait but without a live worker, or without one that has the handler.
type unservedQueue struct {
	Queue     string `json:"queue"`
	Task      string `json:"task,omitempty"` // that no worker has a handler for; empty: there is no worker
	Stages    int    `json:"stages"`
	Unhealthy string `json:"unhealthy,omitempty"` // a worker there that cannot execute stages, and why
}

func (p Program) printStatusJSON(ctx context.Context, s *engine.Session, r *runStatus, out *bufio.Writer) error {
	status := statusJSON{Result: r.Result(r.now), Values: r.values(), Params: paramValues(r.Spec.Params), Redis: s.Conn.Kind.String(),
		Active: []activeStage{}, Failures: []failedStage{}, Unserved: []unservedQueue{}}
	status.State = r.word
	outputs, err := r.Outputs(ctx, s.Journal, s.Stores)
	if err != nil { // such as values that were in the memory of the run's process
		fmt.Fprintf(p.Err, "%s: some outputs are left out: %s\n", p.Name, printable(err.Error()))
	}
	status.Outputs = outputs
	for _, id := range r.active() {
		a := r.Active[id]
		status.Active = append(status.Active, activeStage{r.Name(id), a.Attempt, a.Worker, a.Since.UTC()})
	}
	for _, f := range r.Failures {
		status.Failures = append(status.Failures, failedStage{r.Name(f.Stage), f.Attempt, f.Worker, f.Text})
	}
	for _, q := range slices.Sorted(maps.Keys(r.unserved)) {
		status.Unserved = append(status.Unserved, unservedQueue{q, "", r.unserved[q], r.unhealthy[q]})
	}
	for _, l := range r.lacks() {
		status.Unserved = append(status.Unserved, unservedQueue{l.queue, l.task, r.lacking[l], ""})
	}
	return printJSON(out, status)
}
