package runs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/sign"
)

// Load reads the journal of a run up to its newest entry.
func (s *Service) Load(ctx context.Context, id ID) (*runstate.Run, error) {
	return s.session.View(ctx, id)
}

// Status is a run at one moment, with what its fleet looks like.
type Status struct {
	*runstate.Run
	Summary  Summary
	RunState string    // see the states in package api
	Now      time.Time // when the status was read

	// Reasons explains why stages are not running.
	Reasons *runstate.Explainer

	alive map[string]bool // workers
}

// Status reads the state of a run and of the workers that could run its stages.
func (s *Service) Status(ctx context.Context, found Summary) (*Status, error) {
	run, err := s.Load(ctx, found.ID)
	if err != nil {
		return nil, err
	}

	status := &Status{
		Run:      run,
		Summary:  found,
		RunState: stateOf(run, found.State),
		Now:      time.Now(),
	}

	fleet := runstate.Fleet{State: status.RunState, Now: status.Now, TaskID: engine.TaskID}
	if !run.State.Finished() {
		if err := s.describeFleet(ctx, found.ID, &fleet); err != nil {
			return nil, err
		}
	}

	status.Reasons = run.Explain(fleet)
	status.alive = make(map[string]bool)
	for _, w := range fleet.Workers {
		status.alive[w.ID] = w.Alive()
	}
	return status, nil
}

// stateOf returns the word for the state of a run. Listed is what the list of runs says, which
// knows about the coordinator.
func stateOf(run *runstate.Run, listed string) string {
	switch {
	case run.State.Finished():
		return run.State.Outcome().String()
	case !api.HasCoordinator(listed):
		return listed
	case run.State.Cancelling():
		return api.Cancelling
	}

	return api.Running
}

// describeFleet fills in the workers, and the handlers that they have for the run.
func (s *Service) describeFleet(ctx context.Context, id ID, fleet *runstate.Fleet) error {
	workers, err := s.session.Fleet.Workers(ctx)
	if err != nil {
		return err
	}

	identity, err := s.session.Journal.Identity(ctx, id)
	if err != nil {
		return err
	}

	fleet.Workers = workers
	fleet.Key = sign.Signer(identity.Signature)
	if fleet.Capabilities, err = s.session.Fleet.Capabilities(ctx, workers, id, fleet.Key, nil); err != nil {
		return err
	}

	paused, err := s.session.PausedQueues(ctx)
	fleet.Paused = make(map[string]string)
	for _, q := range paused {
		if q.Of == "key:"+fleet.Key || q.Of == string(id) {
			fleet.Paused[q.Name] = q.Key
		}
	}

	return err
}

// Alive reports whether a worker has sent a heartbeat recently.
func (st *Status) Alive(worker string) bool { return st.alive[worker] }

// ActiveStages returns the stages that run, longest running first.
func (st *Status) ActiveStages() []dag.StageID {
	return slices.SortedFunc(maps.Keys(st.Active), func(a, b dag.StageID) int {
		return cmp.Or(st.Active[a].Since.Compare(st.Active[b].Since), cmp.Compare(a, b))
	})
}

// Values returns where the values of the run are stored.
func (st *Status) Values() string { return cmp.Or(st.Spec.Values, "redis") }

// Unserved returns the queues and handlers that stages wait for and no live worker has.
func (st *Status) Unserved() []runstate.Unserved { return st.Reasons.Unserved() }

// API returns the JSON form of the status. The outputs are left out.
func (st *Status) API(redis string) api.Status {
	status := api.Status{
		Run:      st.Run.Result(st.Now),
		Values:   st.Values(),
		Redis:    redis,
		Active:   []api.ActiveStage{},
		Failures: []api.FailedStage{},
		Waiting:  st.Reasons.Waiting(),
		Unserved: []api.UnservedQueue{},
	}

	status.State = st.RunState

	if len(st.Spec.Params) > 0 {
		status.Params = make(map[string]json.RawMessage)
		for _, p := range st.Spec.Params {
			status.Params[p.Name] = p.Value
		}
	}

	for _, s := range st.ActiveStages() {
		a := st.Active[s]
		status.Active = append(status.Active, api.ActiveStage{
			Stage: st.Name(s), Attempt: int(a.Attempt), Worker: a.Worker, Since: a.Since.UTC()})
	}

	for _, f := range st.Failures {
		status.Failures = append(status.Failures, api.FailedStage{
			Stage: st.Name(f.Stage), Attempt: int(f.Attempt), Worker: f.Worker, Error: f.Text})
	}

	for _, u := range st.Unserved() {
		status.Unserved = append(status.Unserved, api.UnservedQueue{Queue: u.Queue, Task: u.Task, Stages: u.Stages, Unhealthy: u.Unhealthy, Paused: u.Paused})
	}
	return status
}

// Outputs returns the outputs of the stages that nothing depends on, as JSON, and of one with more
// than most bytes its size: see [runstate.Run.Outputs]. With an error it returns those that could be
// read.
func (s *Service) Outputs(ctx context.Context, run *runstate.Run, most int) (map[string]json.RawMessage, error) {
	return run.Outputs(ctx, s.session.Journal, s.session.Stores, most)
}

// UnknownStageError says that a run has no stage of a name.
type UnknownStageError struct {
	Pipeline, Name string
	Near           string // a stage whose name is spelled much like Name, or empty
}

// Error names the stage, and what is spelled like it.
func (e *UnknownStageError) Error() string {
	name := e.Name
	if len(name) > 200 {
		name = strings.ToValidUTF8(name[:200], "") + "..."
	}

	text := fmt.Sprintf("pipeline %s has no stage %q", e.Pipeline, name)
	if e.Near != "" {
		text += fmt.Sprintf(": did you mean %q?", e.Near)
	}
	return text
}

// Last returns the position of the newest entry of a run's journal.
func (s *Service) Last(ctx context.Context, id ID) (string, error) {
	return s.session.Journal.Last(ctx, id)
}
