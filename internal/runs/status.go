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

// Status is a run at one moment, with its workers.
type Status struct {
	*runstate.Run
	Summary Summary   // the run in the list of runs
	State   string    // of the run: see the states in package api
	Now     time.Time // when the status was read

	// Reasons explains why stages are not running.
	Reasons *runstate.Explainer

	alive map[string]bool // by ID of a worker: whether it sent a heartbeat recently
}

// Status reads the state of a run and of the workers that could run its stages.
func (s *Service) Status(ctx context.Context, found Summary) (*Status, error) {
	run, err := s.Load(ctx, found.ID)
	if err != nil {
		return nil, err
	}

	now, err := s.snapshot(ctx, found)
	if err != nil {
		return nil, err
	}

	status := &Status{
		Run:     run,
		Summary: found,
		State:   run.StateName(found.State),
		Now:     now.Now,
		Reasons: run.Explain(now),
		alive:   make(map[string]bool),
	}
	for _, w := range now.Workers {
		status.alive[w.ID] = w.Alive()
	}
	return status, nil
}

// Snapshot reads the workers, handlers and paused queues, which decide whether the ready stages of
// a run can start.
func (s *Service) Snapshot(ctx context.Context, id ID) (runstate.Snapshot, error) {
	found, err := s.session.Journal.Summary(ctx, id)
	if err != nil {
		return runstate.Snapshot{}, err
	}
	return s.snapshot(ctx, summaryOf(found))
}

// snapshot is Snapshot for a run whose summary is known.
func (s *Service) snapshot(ctx context.Context, run Summary) (runstate.Snapshot, error) {
	snapshot := runstate.Snapshot{ListedState: run.State, Now: time.Now(), TaskID: engine.TaskID}
	// No stage of a finished run waits, so that nothing has to be explained.
	if !run.Finished.IsZero() {
		return snapshot, nil
	}

	workers, err := s.session.Fleet.Workers(ctx)
	if err != nil {
		return snapshot, err
	}

	identity, err := s.session.Journal.Identity(ctx, run.ID)
	if err != nil {
		return snapshot, err
	}

	snapshot.Workers = workers
	snapshot.Key = sign.Signer(identity.Signature)
	snapshot.Capabilities, err = s.session.Fleet.Capabilities(ctx, workers, run.ID, snapshot.Key, nil)
	if err != nil {
		return snapshot, err
	}

	paused, err := s.session.PausedQueues(ctx)
	snapshot.Paused = make(map[string]string)
	for _, q := range paused {
		// Each key and each private Redis has separate queues, which may have the same names.
		if q.Of == "key:"+snapshot.Key || q.Of == string(run.ID) {
			snapshot.Paused[q.Name] = q.Key
		}
	}

	return snapshot, err
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

// Groups returns the ready stages by the reason that keeps them from starting.
func (st *Status) Groups() []runstate.Group { return st.Reasons.Groups() }

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

	// Result knows the journal only. Whether a coordinator lives is known from the lease.
	status.State = st.State

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

	for _, g := range st.Groups() {
		if g.Blocked {
			status.Unserved = append(status.Unserved, api.UnservedQueue{
				Queue: g.Queue, Task: g.Task, Stages: g.Stages, Unhealthy: g.Unhealthy, Paused: g.Paused})
		}
	}
	return status
}

// Outputs returns the outputs of the stages without dependents, as JSON. An output of more than
// most bytes is replaced by its size: see [runstate.Run.Outputs]. With an error it returns the
// outputs that could be read.
func (s *Service) Outputs(ctx context.Context, run *runstate.Run, most int) (map[string]json.RawMessage, error) {
	return run.Outputs(ctx, s.session.Journal, s.session.Stores, most)
}

// UnknownStageError says that a run has no stage with this name.
type UnknownStageError struct {
	Pipeline, Name string
	Near           string // a stage whose name is spelled much like Name, or empty
}

// Error names the stage, and suggests the nearest name.
func (e *UnknownStageError) Error() string {
	// The name comes from a command line or a request, and may be of any length.
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
func (s *Service) Last(ctx context.Context, id ID) (Position, error) {
	return s.session.Journal.Last(ctx, id)
}
