// Package runstate is what people and programs are shown of a run. It is read from the journal and
// from nothing else.
package runstate

import (
	"context"
	"errors"
	"iter"
	"slices"
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
	Pauses    map[dag.StageID]Pause // stages that failed, and wait for their next attempt
	Failures  []Failure             // stages that failed for good, in order of time
	// the last line of the newest attempt, if it printed any; "" if that was given up: only its log
	// knows
	Notes map[dag.StageID]string
	Lost  int // attempts that were lost with their workers
	// attempts that failed and were, or are, followed by another
	Retried   int
	TimeLimit time.Duration        // that was over, if that is why the run is cancelled
	stopped   map[dag.StageID]bool // stages that were cancelled while they were executed
	// what attempts of a stage that failed took, with the waits after them
	before map[dag.StageID]time.Duration
	// of stages that were reopened: the attempt that was due then
	first    map[dag.StageID]dag.Attempt
	marks    []mark // by stage, as far as something has become of it
	records  uint32 // that were read
	position journal.Position
	scratch  [1]dag.Command // for commands, which mean nothing here
}

// mark is when a stage was executed, in numbers of records, which tell what came first where times
// are the same. Zero: not yet.
type mark struct {
	took         uint32 // by the attempt that ended the stage, in units of 10 µs
	began, ended uint32
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

// Pause is what a stage waits for that is tried again.
type Pause struct {
	Until   time.Time // by the clock of Redis
	Attempt dag.Attempt
	Text    string // why the last attempt failed
	since   time.Time
}

// Retry returns when a failed stage is tried again, by the record of its failure in the entry that
// the run was fed last.
func (r *Run) Retry(e journal.Entry, record journal.Record) (time.Time, bool) {
	s := record.Stage
	if record.Type != journal.StageFailed || r.State.State(s) != dag.Retrying || r.State.Attempt(s) != record.Attempt+1 {
		return time.Time{}, false
	}
	template, _, _ := r.State.Instance(s)
	return e.Time.Add(r.Spec.Kind(template).Backoff.Wait(r.State.Failures(s), string(r.ID), s, record.Attempt+1)), true
}

// New returns the view of a run before its first entry.
func New(id journal.RunID, sp *spec.Spec) *Run {
	return &Run{ID: id, Spec: sp, State: dag.NewRun(sp.Graph, sp.Rules()), Active: make(map[dag.StageID]Active),
		Pauses: make(map[dag.StageID]Pause), before: make(map[dag.StageID]time.Duration),
		first: make(map[dag.StageID]dag.Attempt), stopped: make(map[dag.StageID]bool), Notes: make(map[dag.StageID]string), position: journal.Start}
}

// Load reads a run of a pipeline from Redis, up to its newest entry.
func Load(ctx context.Context, j *journal.Journal, id journal.RunID, sp *spec.Spec) (*Run, error) {
	r := New(id, sp)
	for {
		n, err := r.Follow(ctx, j, 0, nil)
		if n == 0 || err != nil {
			return r, err
		}
	}
}

// Follow reads the next entries, waiting up to the given time for the first, and returns how many
// there were. Each, if not nil, is called for every entry after it was applied.
func (r *Run) Follow(ctx context.Context, j *journal.Journal, wait time.Duration, each func(journal.Entry)) (int, error) {
	entries, err := j.Read(ctx, r.ID, r.position, wait)

	// Redis has lost what it recorded last: what it has is the run
	if errors.Is(err, journal.ErrTruncated) {
		*r = *New(r.ID, r.Spec)
		return r.Follow(ctx, j, wait, each)
	}
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

// Catch applies the entries that are new among some that may have been applied before. Each is
// called for every new one.
func (r *Run) Catch(entries []journal.Entry, each func(journal.Entry)) error {
	for _, e := range entries {
		if !e.ID.After(r.position) {
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
	r.position = e.ID
	r.Last = e.Time
	for _, record := range e.Records {
		r.records++
		var again []dag.StageID
		if record.Type == journal.RunReopened {
			again, _ = r.State.Reopened(record.Stage) // Apply returns the error
		}

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
			r.TimeLimit = record.Duration
		case journal.RunReopened:
			r.reopened(again)
		default:
			r.note(e, record)
		}
	}

	return nil
}

// reopened forgets what does not hold any more. The given stages begin anew.
func (r *Run) reopened(again []dag.StageID) {
	r.Finished = time.Time{}
	r.TimeLimit = 0
	for _, s := range again {
		delete(r.Notes, s)
		delete(r.before, s)
		delete(r.stopped, s)
		r.first[s] = r.State.Attempt(s)
		*r.mark(s) = mark{}
	}

	r.Failures = slices.DeleteFunc(r.Failures, func(f Failure) bool { return r.State.State(f.Stage) != dag.Failed || !r.counts(f.Stage) })
}

// counts is false for an instance that others have replaced.
func (r *Run) counts(s dag.StageID) bool {
	template, _, instance := r.State.Instance(s)
	base, n, _ := r.State.Instances(template)
	return !instance || s >= base && s < base+dag.StageID(n)
}

// note keeps what the state machine does not.
func (r *Run) note(e journal.Entry, record journal.Record) {
	s := record.Stage
	if p, ok := r.Pauses[s]; ok {
		r.before[s] += max(0, min(e.Time.Sub(p.since), p.Until.Sub(p.since)))
		delete(r.Pauses, s)
	}

	_, active := r.Active[s]

	// by the coordinator, with what it had printed so far in its log
	givenUp := active && e.Worker == ""
	delete(r.Active, s)

	// if a record names no attempt, the last one is the newest
	if record.Type != journal.StageLost && record.Attempt > 0 {
		delete(r.Notes, s)
	}

	if active && record.Type == journal.StageCancelled {
		r.stopped[s] = true
	}

	if record.Note != "" || givenUp {
		r.Notes[s] = record.Note
	}

	switch record.Type {
	case journal.StageStarted:
		r.Active[s] = Active{record.Attempt, e.Worker, e.Time}
		if m := r.mark(s); m.began == 0 {
			m.began = r.records
		}
		return

	case journal.StageFailed:
		if until, ok := r.Retry(e, record); ok {
			r.Retried++
			r.before[s] += record.Duration
			r.Pauses[s] = Pause{until, record.Attempt + 1, record.Text, e.Time}
			return
		}
		r.Failures = append(r.Failures, Failure{s, record.Attempt, e.Worker, record.Text})

	case journal.StageLost:
		r.Lost++
		return
	}

	m := r.mark(s)
	m.ended = r.records
	if record.Duration > 0 {
		m.took = uint32(max(1, min(record.Duration/unit, 1<<32-1)))
	}
}

// mark returns the mark of a stage, to be changed.
func (r *Run) mark(s dag.StageID) *mark {
	if n := r.State.Len(); len(r.marks) < n {
		r.marks = append(r.marks, make([]mark, n-len(r.marks))...)
	}
	return &r.marks[s]
}

// Name returns the name of a stage, which may be an instance, such as "train[2]".
func (r *Run) Name(s dag.StageID) string { return r.State.Name(s) }

const unit = 10 * time.Microsecond

// Duration returns how long the attempt took that ended a stage, to 10 µs, and at most 11 hours; 0
// if none was executed since the stage was last reopened.
func (r *Run) Duration(s dag.StageID) time.Duration {
	if int(s) >= len(r.marks) {
		return 0
	}
	return time.Duration(r.marks[s].took) * unit
}

// First returns the attempt that a stage began with, or that was due when the stage was last
// reopened.
func (r *Run) First(s dag.StageID) dag.Attempt { return max(r.State.FirstAttempt(s), r.first[s]) }

// Begun returns the newest attempt of a stage that was begun; 0 if none was.
func (r *Run) Begun(s dag.StageID) dag.Attempt {
	due := r.State.Attempt(s)
	switch r.State.State(s) {
	case dag.Waiting, dag.Ready, dag.Retrying:
		return due - 1
	case dag.Skipped:
		if r.Duration(s) == 0 { // otherwise it was executed to find out about its condition
			return due - 1
		}
	case dag.Cancelled:
		if !r.stopped[s] {
			return due - 1
		}
	}

	return due
}

// Elapsed returns the time from the run's submission to its end, or to the given time while it goes
// on.
func (r *Run) Elapsed(now time.Time) time.Duration {
	if !r.Finished.IsZero() {
		now = r.Finished
	}
	return max(0, now.Sub(r.Submitted))
}

// Family yields the instances of a stage, if it has some, then the stage.
func (r *Run) Family(s dag.StageID) iter.Seq[dag.StageID] {
	return func(yield func(dag.StageID) bool) {
		base, n, _ := r.State.Instances(s)
		for i := range dag.StageID(n) {
			if !yield(base + i) {
				return
			}
		}
		yield(s)
	}
}

// Standing returns the state of a stage of the graph together with its instances, and how many of
// those succeeded. A stage has failed if one of its instances has, and runs if one of them does.
func (r *Run) Standing(s dag.StageID) (state dag.State, succeeded int) {
	state = r.State.State(s)
	for i := range r.Family(s) {
		switch is := r.State.State(i); {
		case i == s:
		case is == dag.Succeeded:
			succeeded++
		case is == dag.Failed, (is == dag.Running || is == dag.Retrying) && state == dag.Waiting:
			state = is
		}
	}

	return state, succeeded
}

// WhyCancelled says why a stage was cancelled, by its record in an entry. A worker knows that the
// run is being cancelled, and not that this is because its time was over.
func (r *Run) WhyCancelled(e journal.Entry, record journal.Record) string {
	if r.TimeLimit > 0 && (e.Worker != "" || record.Text == "") {
		return "the run timed out after " + r.TimeLimit.String()
	}
	return record.Text
}

// WhySkipped says why a stage is skipped, such as "because train failed".
func (r *Run) WhySkipped(s dag.StageID) string {
	root := r.State.Cause(s)
	template, _, _ := r.State.Instance(s)
	switch state := r.State.State(root); {
	case root == s && r.Spec.Kind(template).When != "" && r.Duration(s) > 0:
		// it was begun, to find out
		return "its condition is false"
	case root == s && r.Spec.Kind(template).Trigger == dag.AnyFailed:
		return "nothing failed that it waits for"
	case root == s:
		return "nothing succeeded that it waits for"
	case state == dag.Cancelled:
		return "because " + r.Name(root) + " was cancelled"
	case state == dag.Skipped:
		return "because " + r.Name(root) + " was skipped"
	}

	return "because " + r.Name(root) + " failed"
}
