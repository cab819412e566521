// Package view is what people and programs are shown of a run. It is read from the journal and from nothing else.
package view

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// Run is a run as far as its journal was read. It is not safe for concurrent use.
type Run struct {
	ID        journal.RunID
	Spec      *spec.Spec
	State     *dag.Run
	Submitted time.Time
	Last      time.Time // of the last entry
	Finished  time.Time // zero while the run goes on
	Active    map[dag.StageID]Active
	Failures  []Failure              // stages that failed for good, in order of time
	Notes     map[dag.StageID]string // the last line that a stage printed, if it printed any
	Lost      int                    // attempts that were lost with their workers
	durations []uint32               // of the last attempt in units of 10 µs; nil until there is one
	position  string
	scratch   [1]dag.Command // for commands, which mean nothing here
}

// Active is an attempt that is being executed.
type Active struct {
	Attempt dag.Attempt
	Worker  string
	Since   time.Time
}

// Failure says why a stage failed.
type Failure struct {
	Stage   dag.StageID
	Attempt dag.Attempt
	Worker  string
	Text    string
}

// New returns the view of a run before its first entry.
func New(id journal.RunID, sp *spec.Spec) *Run {
	return &Run{ID: id, Spec: sp, State: dag.NewRun(sp.Graph, dag.Rules{}), Active: make(map[dag.StageID]Active),
		Notes: make(map[dag.StageID]string), position: journal.Start}
}

// Load reads a run from Redis, up to its newest entry.
func Load(ctx context.Context, j *journal.Journal, id journal.RunID) (*Run, error) {
	encoded, _, err := j.Spec(ctx, id)
	if err != nil {
		return nil, err
	}
	sp, err := spec.Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	r := New(id, sp)
	for {
		n, err := r.Follow(ctx, j, 0, nil)
		if n == 0 || err != nil {
			return r, err
		}
	}
}

// Follow reads the next entries, waiting up to the given time for the first, and returns how many there were.
// Each, if not nil, is called for every entry after it was applied.
func (r *Run) Follow(ctx context.Context, j *journal.Journal, wait time.Duration, each func(journal.Entry)) (int, error) {
	entries, err := j.Read(ctx, r.ID, r.position, wait)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if err := r.Feed(e); err != nil {
			return 0, err
		}
		if each != nil {
			each(e)
		}
	}
	return len(entries), nil
}

// Catch applies the entries that are new among some that may have been applied before. Each is called for every new one.
func (r *Run) Catch(entries []journal.Entry, each func(journal.Entry)) error {
	for _, e := range entries {
		if !journal.After(e.ID, r.position) {
			continue
		}
		if err := r.Feed(e); err != nil {
			return err
		}
		each(e)
	}
	return nil
}

// Feed applies an entry.
func (r *Run) Feed(e journal.Entry) error {
	r.position, r.Last = e.ID, e.Time
	for _, record := range e.Records {
		if event, ok := record.Event(); ok {
			if _, err := r.State.Apply(event, r.scratch[:0]); err != nil {
				return journal.Damaged(r.ID, e.ID, err)
			}
		}
		switch record.Type {
		case journal.RunSubmitted:
			r.Submitted = e.Time
		case journal.RunFinished:
			r.Finished = e.Time
		case journal.RunCancelling:
		default:
			r.note(e, record)
		}
	}
	return nil
}

// note keeps what the state machine does not.
func (r *Run) note(e journal.Entry, record journal.Record) {
	s := record.Stage
	switch record.Type {
	case journal.StageStarted:
		r.Active[s] = Active{record.Attempt, e.Worker, e.Time}
	case journal.StageFailed:
		r.Failures = append(r.Failures, Failure{s, record.Attempt, e.Worker, record.Text})
	case journal.StageLost:
		r.Lost++
	}
	if record.Type != journal.StageStarted {
		delete(r.Active, s)
	}
	if record.Note != "" {
		r.Notes[s] = record.Note
	}
	if record.Duration > 0 {
		if r.durations == nil {
			r.durations = make([]uint32, r.Spec.Graph.Len())
		}
		r.durations[s] = uint32(min(record.Duration/unit, 1<<32-1))
	}
}

const unit = 10 * time.Microsecond

// Duration returns how long the last ended attempt of a stage took, to 10 µs, and at most 11 hours.
func (r *Run) Duration(s dag.StageID) time.Duration {
	if r.durations == nil {
		return 0
	}
	return time.Duration(r.durations[s]) * unit
}

// Elapsed returns the time from the run's submission to its end, or to the given time while it goes on.
func (r *Run) Elapsed(now time.Time) time.Duration {
	if !r.Finished.IsZero() {
		now = r.Finished
	}
	return max(0, now.Sub(r.Submitted))
}

// CriticalPath returns the chain of stages whose durations sum to the most, and that sum.
func (r *Run) CriticalPath() ([]dag.StageID, time.Duration) {
	path, sum := r.Spec.Graph.CriticalPath(func(s dag.StageID) int64 { return int64(r.Duration(s)) })
	return path, time.Duration(sum)
}

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
		Stages:  Counts{r.Spec.Graph.Len(), s.Count(dag.Succeeded), s.Count(dag.Failed), s.Count(dag.Skipped), s.Count(dag.Cancelled)},
		Seconds: r.Elapsed(now).Seconds(),
	}
	if s.Finished() {
		at := r.Finished.UTC()
		result.State, result.Finished = s.Outcome().String(), &at
	}
	return result
}
