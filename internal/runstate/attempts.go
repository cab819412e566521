package runstate

import (
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// Attempts is what the journal says of attempts beyond what the state machine of package dag keeps:
// who executes them, since when, why they failed, and how long they took. A [Run] embeds it.
type Attempts struct {
	Active   map[dag.StageID]Active // by stage that is being executed
	Retrying map[dag.StageID]Retry  // by stage that failed and waits for its next attempt
	Failures []Failure              // stages that failed for good, in order of time

	// Notes has the last line that the newest attempt of a stage printed. A stage whose attempts
	// printed nothing has no note. An empty note means that the coordinator ended the attempt, and
	// could not know its last line: the log of the attempt has it.
	Notes map[dag.StageID]string

	Lost    int // attempts that were lost with their workers
	Retried int // attempts that failed and are followed by another

	// reopenedAt has the attempt that was due when a stage was last reopened.
	reopenedAt map[dag.StageID]dag.Attempt

	stopped map[dag.StageID]bool // stages that were cancelled while an attempt was running
	times   stageTimes
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

// Retry is the next attempt of a stage that failed.
type Retry struct {
	Due     time.Time // by the clock of Redis
	Attempt dag.Attempt
	Text    string // why the attempt before it failed

	since time.Time // when that attempt failed
}

// newAttempts returns the attempts of a run whose graph has n stages, before its first record.
func newAttempts(n int) Attempts {
	return Attempts{
		Active:     make(map[dag.StageID]Active),
		Retrying:   make(map[dag.StageID]Retry),
		Notes:      make(map[dag.StageID]string),
		reopenedAt: make(map[dag.StageID]dag.Attempt),
		stopped:    make(map[dag.StageID]bool),
		times:      newStageTimes(n),
	}
}

// apply applies a record about a stage, which is the record of the given number in the journal.
// For a failure, retryDue is when the next attempt is due; zero if the failure is final.
func (a *Attempts) apply(e journal.Entry, record journal.Record, number uint32, retryDue time.Time) {
	s := record.Stage
	a.endWait(s, e.Time)

	_, active := a.Active[s]
	delete(a.Active, s)
	if active && record.Type == journal.StageCancelled {
		a.stopped[s] = true
	}

	// Without a worker, the record is a decision of the coordinator.
	a.applyNote(record, active && e.Worker == "")

	switch record.Type {
	case journal.StageStarted:
		a.Active[s] = Active{Attempt: record.Attempt, Worker: e.Worker, Since: e.Time}
		a.times.begin(s, number)

	case journal.StageLost:
		a.Lost++

	case journal.StageFailed:
		if !retryDue.IsZero() {
			a.Retried++
			a.times.addEarlier(s, record.Duration)
			a.Retrying[s] = Retry{Due: retryDue, Attempt: record.Attempt + 1, Text: record.Text, since: e.Time}
			return
		}
		a.Failures = append(a.Failures, Failure{s, record.Attempt, e.Worker, record.Text})
		a.times.end(s, number, record.Duration)

	default:
		a.times.end(s, number, record.Duration)
	}
}

// endWait ends the wait of a stage for its next attempt, if it waits.
func (a *Attempts) endWait(s dag.StageID, now time.Time) {
	retry, ok := a.Retrying[s]
	if !ok {
		return
	}

	// The back-off itself counts as time of the stage. Time in the queue after it does not, and a
	// cancellation may end the wait early.
	waited := min(now.Sub(retry.since), retry.Due.Sub(retry.since))
	a.times.addEarlier(s, max(0, waited))
	delete(a.Retrying, s)
}

// applyNote keeps the last line of the newest attempt of a stage. With ended the coordinator has
// ended an attempt that was running.
func (a *Attempts) applyNote(record journal.Record, ended bool) {
	s := record.Stage

	// A record without an attempt is about a stage that has no newer one: its note stays. So does
	// that of a lost attempt until the next one starts: it is the only trace of what happened.
	if record.Type != journal.StageLost && record.Attempt > 0 {
		delete(a.Notes, s)
	}

	// The empty note makes the log of the attempt known to those who list logs.
	if record.Note != "" || ended {
		a.Notes[s] = record.Note
	}
}

// reopen forgets the execution of stages that are executed again, and failures that no longer
// hold. The state machine has been reopened before.
func (a *Attempts) reopen(stages []dag.StageID, state *dag.Run) {
	for _, s := range stages {
		delete(a.Notes, s)
		delete(a.stopped, s)
		a.times.reset(s)
		a.reopenedAt[s] = state.Attempt(s)
	}

	// An instance that was replaced stays failed, but is not part of the run any more.
	a.Failures = slices.DeleteFunc(a.Failures, func(f Failure) bool {
		return state.State(f.Stage) != dag.Failed || !state.Current(f.Stage)
	})
}
