package runstate

import (
	"cmp"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// Timeline is when the stages of a run waited and were executed. It is given the entries of a
// journal, each after it was applied to the run.
type Timeline struct {
	spans  []Span
	active map[dag.StageID]Span          // attempts that are executed
	ends   map[dag.StageID]time.Duration // of the newest attempt, or of the stage
	reopen time.Duration                 // when the run was reopened last
}

// Span is a time in which a stage waited or was executed. Times are counted from the submission of
// the run.
type Span struct {
	Stage    dag.StageID
	Attempt  dag.Attempt
	From, To time.Duration

	// State is how the attempt ended, or Running if it has not. Ready means a wait for the first
	// attempt, and Retrying a wait for a further one.
	State  dag.State
	Lost   bool // the worker of the attempt died; the state is Failed
	Worker string
	Text   string // why the attempt failed
}

// Wait reports whether the stage was not executed in this time.
func (s Span) Wait() bool { return s.State == dag.Ready || s.State == dag.Retrying }

// NewTimeline returns the timeline of a run before its first entry.
func NewTimeline() *Timeline {
	return &Timeline{active: make(map[dag.StageID]Span), ends: make(map[dag.StageID]time.Duration)}
}

// Observe adds the entry that was applied last to the run.
func (t *Timeline) Observe(r *Run, e journal.Entry) {
	at := e.Time.Sub(r.Submitted)
	for _, record := range e.Records {
		s := record.Stage
		switch record.Type {
		// Redis may have lost entries. Then the run is read again from its start.
		case journal.RunSubmitted:
			*t = *NewTimeline()
		case journal.RunReopened:
			t.reopen = at
		case journal.StageStarted:
			t.active[s] = Span{Stage: s, Attempt: record.Attempt, From: at, Worker: e.Worker}
		case journal.StageSucceeded, journal.StageFailed, journal.StageLost, journal.StageSkipped, journal.StageCancelled:
			t.end(r, record, at)
		}
	}
}

// end adds the attempt that a record ends, if it was executed, and the wait before it.
func (t *Timeline) end(r *Run, record journal.Record, at time.Duration) {
	s := record.Stage
	span, executed := t.active[s]
	delete(t.active, s)
	if !executed {
		t.ends[s] = at
		return
	}

	span.To = at
	span.Text = record.Text
	switch record.Type {
	case journal.StageSucceeded:
		span.State = dag.Succeeded
	case journal.StageSkipped:
		span.State = dag.Skipped
	case journal.StageCancelled:
		span.State = dag.Cancelled
	default:
		span.State = dag.Failed
		span.Lost = record.Type == journal.StageLost
	}

	// A worker claims a batch at once and executes it one by one: until its turn, a stage waits.
	if record.Duration > 0 {
		span.From = max(span.From, at-record.Duration)
	}

	t.wait(r, s, span.From, span.Attempt)
	t.spans = append(t.spans, span)
	t.ends[s] = at
}

// wait adds the wait of a stage until the given time.
func (t *Timeline) wait(r *Run, s dag.StageID, until time.Duration, next dag.Attempt) {
	state := dag.Ready
	from := t.reopen
	if end, ok := t.ends[s]; ok && end >= t.reopen {
		from = end
		state = dag.Retrying
	} else {
		from = max(from, t.ready(r, s, until))
	}

	if from < until {
		t.spans = append(t.spans, Span{Stage: s, Attempt: next, From: from, To: until, State: state})
	}
}

// ready returns when the last dependency of a stage ended, of those that ended before a time.
func (t *Timeline) ready(r *Run, s dag.StageID, before time.Duration) (at time.Duration) {
	look := func(d dag.StageID) {
		// Some triggers do not wait for all dependencies.
		if end, ok := t.ends[d]; ok && end <= before {
			at = max(at, end)
		}
	}

	// A mapped stage is ready when its instances have ended.
	if r.DAG.GraphStage(s) == s {
		for i := range r.WithInstances(s) {
			look(i)
		}
	}

	for _, d := range r.Spec.Graph.Deps(r.DAG.GraphStage(s)) {
		look(d)
	}
	return at
}

// Spans returns all spans by their start, with those that have not ended yet: they end now.
func (t *Timeline) Spans(r *Run, now time.Time) []Span {
	// The local clock may be behind the clock of Redis.
	until := max(r.Elapsed(now), r.Last.Sub(r.Submitted))
	recorded := len(t.spans)
	for s, span := range t.active {
		span.State = dag.Running
		span.To = until
		t.wait(r, s, span.From, span.Attempt)
		t.spans = append(t.spans, span)
	}

	for s := range r.DAG.Stages() {
		if _, executed := t.active[s]; executed {
			continue
		}
		if state := r.DAG.State(s); state == dag.Ready || state == dag.Retrying {
			t.wait(r, s, until, r.DAG.Attempt(s))
		}
	}

	all := slices.Clone(t.spans)
	t.spans = t.spans[:recorded]
	slices.SortFunc(all, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Attempt, b.Attempt))
	})
	return all
}
