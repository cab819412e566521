package runstate

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// Run is the projection of a run: its state as of the last entry that was applied. It is not safe
// for concurrent use.
type Run struct {
	ID   journal.RunID
	Spec *spec.Spec
	DAG  *dag.Run // states of the stages and of the run

	Submitted time.Time
	Finished  time.Time // zero while the run is active
	Last      time.Time // of the last entry

	// TimeLimit is the limit that the run exceeded, if that is why it is cancelled; else 0.
	TimeLimit time.Duration

	Attempts

	position journal.Position
	records  uint32         // number of records that were applied
	dropped  [1]dag.Command // room for commands: only coordinators carry them out
}

// New returns the projection of a run before its first entry.
func New(id journal.RunID, sp *spec.Spec) *Run {
	return &Run{
		ID:       id,
		Spec:     sp,
		DAG:      dag.NewRun(sp.Graph, sp.Rules()),
		Attempts: newAttempts(sp.Graph.Len()),
		position: journal.Start,
	}
}

// Load reads the journal of a run up to its newest entry.
func Load(ctx context.Context, j *journal.Journal, id journal.RunID, sp *spec.Spec) (*Run, error) {
	r := New(id, sp)
	for {
		n, err := r.ReadNext(ctx, j, 0, nil)
		if n == 0 || err != nil {
			return r, err
		}
	}
}

// ReadNext reads and applies the next entries, and returns how many there were. It waits up to the
// given time for the first. If each is not nil, it is called after each entry.
func (r *Run) ReadNext(ctx context.Context, j *journal.Journal, wait time.Duration, each func(journal.Entry)) (int, error) {
	entries, err := j.Read(ctx, r.ID, r.position, wait)

	// Redis has lost its newest writes, with entries that were applied here. The run continues from
	// what Redis has, so this projection starts again from there.
	if errors.Is(err, journal.ErrTruncated) {
		*r = *New(r.ID, r.Spec)
		return r.ReadNext(ctx, j, wait, each)
	}
	if err != nil {
		return 0, err
	}

	for _, e := range entries {
		if err := r.Apply(e); err != nil {
			return 0, err
		}
		if each != nil {
			each(e)
		}
	}

	return len(entries), nil
}

// ApplyNew applies those entries that were not applied before. Each is called after every one of
// them.
func (r *Run) ApplyNew(entries []journal.Entry, each func(journal.Entry)) error {
	for _, e := range entries {
		if !e.ID.After(r.position) {
			continue
		}
		if err := r.Apply(e); err != nil {
			return err
		}
		each(e)
	}

	return nil
}

// Apply applies the next entry. An error says that the journal is damaged.
func (r *Run) Apply(e journal.Entry) error {
	r.position = e.ID
	r.Last = e.Time
	for _, record := range e.Records {
		r.records++

		// What a reopening resets is known only before it: after it the stages wait like others.
		var reset []dag.StageID
		if record.Type == journal.RunReopened {
			reset, _ = r.DAG.Reopened(record.Stage) // Apply returns the same error
		}

		if event, ok := record.Event(); ok {
			if _, err := r.DAG.Apply(event, r.dropped[:0]); err != nil {
				return journal.Damaged(r.ID, e.ID, err)
			}
		}

		switch record.Type {
		case journal.RunSubmitted:
			r.Submitted = e.Time
		case journal.RunFinished:
			r.Finished = e.Time
		case journal.RunCancelling:
			r.TimeLimit = record.Duration
		case journal.RunReopened:
			r.Finished = time.Time{}
			r.TimeLimit = 0
			r.Attempts.reopen(reset, r.DAG)
		default:
			due, _ := r.RetryDue(e, record)
			r.Attempts.apply(e, record, r.records, due)
		}
	}

	return nil
}

// RetryDue returns when the next attempt of a stage is due, by the record of the failure. It is
// false for other records and for a failure that is final. The record must be in the entry that was
// applied last. The journal does not record that time: it follows from the back-off in the spec.
func (r *Run) RetryDue(e journal.Entry, record journal.Record) (time.Time, bool) {
	s := record.Stage
	if record.Type != journal.StageFailed || r.DAG.State(s) != dag.Retrying || r.DAG.Attempt(s) != record.Attempt+1 {
		return time.Time{}, false
	}

	wait := r.Spec.Kind(r.DAG.GraphStage(s)).Backoff.Wait(r.DAG.Failures(s), string(r.ID), s, record.Attempt+1)
	return e.Time.Add(wait), true
}

// Name returns the name of a stage, which may be an instance, such as "train[2]".
func (r *Run) Name(s dag.StageID) string { return r.DAG.Name(s) }

// LastDuration returns how long the attempt took that ended a stage, to 10 µs, and at most 11
// hours; 0 if none was executed since the stage was last reopened.
func (r *Run) LastDuration(s dag.StageID) time.Duration { return r.times.last(s) }

// TotalDuration returns how long a stage took, with the attempts that failed before and with the
// waits between them; 0 if it was not executed since it was last reopened.
func (r *Run) TotalDuration(s dag.StageID) time.Duration { return r.times.total(s) }

// FirstAttempt returns the attempt that a stage began with, or that was due when the stage was last
// reopened.
func (r *Run) FirstAttempt(s dag.StageID) dag.Attempt {
	// Instances that replaced others continue the numbers of those: only the state machine knows.
	return max(r.DAG.FirstAttempt(s), r.reopenedAt[s])
}

// NewestAttempt returns the newest attempt of a stage that was started; 0 if none was.
func (r *Run) NewestAttempt(s dag.StageID) dag.Attempt {
	due := r.DAG.Attempt(s)
	started := true
	switch r.DAG.State(s) {
	case dag.Waiting, dag.Ready, dag.Retrying:
		started = false
	case dag.Skipped:
		// Only a stage that a worker started, to evaluate its condition, has a duration.
		started = r.LastDuration(s) > 0
	case dag.Cancelled:
		started = r.stopped[s]
	}

	if !started {
		return due - 1
	}
	return due
}

// Elapsed returns the time from the run's submission to its end, or to now while it is active.
func (r *Run) Elapsed(now time.Time) time.Duration {
	if !r.Finished.IsZero() {
		now = r.Finished
	}

	// now is of the local clock, which may be behind the clock of Redis.
	return max(0, now.Sub(r.Submitted))
}

// WithInstances yields the instances of a stage, if it has any, then the stage.
func (r *Run) WithInstances(s dag.StageID) iter.Seq[dag.StageID] { return withInstances(r.DAG, s) }

func withInstances(state *dag.Run, s dag.StageID) iter.Seq[dag.StageID] {
	return func(yield func(dag.StageID) bool) {
		base, n, _ := state.Instances(s)
		for i := range dag.StageID(n) {
			if !yield(base + i) {
				return
			}
		}
		yield(s)
	}
}

// CombinedState returns the state of a stage of the graph together with its instances, and how many
// instances succeeded. The stage counts as failed if one of its instances failed, and as running if
// one of them runs.
func (r *Run) CombinedState(s dag.StageID) (state dag.State, succeeded int) {
	state = r.DAG.State(s)
	for i := range r.WithInstances(s) {
		switch is := r.DAG.State(i); {
		case i == s:
		case is == dag.Succeeded:
			succeeded++

		// While its instances are executed, the mapped stage itself waits for them.
		case is == dag.Failed, (is == dag.Running || is == dag.Retrying) && state == dag.Waiting:
			state = is
		}
	}

	return state, succeeded
}

// StateName returns the word for the state of the run: see package api. Listed is its state in the
// list of runs. Only the list knows whether a coordinator owns the run; the journal knows the rest
// and may be newer.
func (r *Run) StateName(listed string) string {
	switch {
	case r.DAG.Finished():
		return r.DAG.Outcome().String()
	case !api.HasCoordinator(listed):
		return listed

	// The list knows of a cancellation that was requested and is not in the journal yet.
	case r.DAG.Cancelling() || listed == api.Cancelling:
		return api.Cancelling
	}

	return api.Running
}

// WhyCancelled says why a stage was cancelled, by its record in an entry.
func (r *Run) WhyCancelled(e journal.Entry, record journal.Record) string {
	// A worker knows that the run is being cancelled, and not that this is because of its time
	// limit. So its own text counts only without one.
	if r.TimeLimit > 0 && (e.Worker != "" || record.Text == "") {
		return "the run timed out after " + r.TimeLimit.String()
	}
	return record.Text
}

// WhySkipped says why a stage is skipped, such as "because train failed".
func (r *Run) WhySkipped(s dag.StageID) string {
	cause := r.DAG.Cause(s)
	if cause == s {
		return r.whySkippedItself(s)
	}

	switch r.DAG.State(cause) {
	case dag.Cancelled:
		return "because " + r.Name(cause) + " was cancelled"
	case dag.Skipped:
		return "because " + r.Name(cause) + " was skipped"
	}

	return "because " + r.Name(cause) + " failed"
}

// whySkippedItself says why a stage is skipped that is itself the cause: its condition or its
// trigger was not met.
func (r *Run) whySkippedItself(s dag.StageID) string {
	kind := r.Spec.Kind(r.DAG.GraphStage(s))
	switch {
	case kind.When != "" && r.LastDuration(s) > 0:
		// A worker evaluates the condition, so only then does the stage have a duration.
		return "its condition is false"
	case kind.Trigger == dag.AnyFailed:
		return "nothing failed that it waits for"
	}

	return "nothing succeeded that it waits for"
}
