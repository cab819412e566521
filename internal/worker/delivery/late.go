package delivery

import (
	"errors"
	"time"

	"github.com/godags/godags/internal/journal"
)

// What happens when an attempt takes longer than expected, so that nothing waits for it.
const (
	ReportAfter  = 5 * time.Millisecond   // report what ended before it
	RequeueAfter = 25 * time.Millisecond  // requeue what is not claimed
	ReturnAfter  = 250 * time.Millisecond // return what is claimed
)

// Why an attempt that was claimed is not executed.
var (
	ErrCancelled = errors.New("the run is being cancelled")
	ErrLate      = errors.New(journal.NotBegun + ": it was behind a stage that takes long")
)

// Stopped returns the outcome of an attempt that was stopped, or not started, for a reason: it is
// stage.cancelled if the run is being cancelled, else stage.lost.
func Stopped(a journal.AttemptID, cause error) journal.Outcome {
	r := journal.Record{Type: journal.StageLost, Stage: a.Stage, Attempt: a.Attempt, Text: cause.Error()}
	if errors.Is(cause, ErrCancelled) {
		r.Type = journal.StageCancelled
	}
	return journal.Outcome{Record: r}
}

// Waited reports whether anything waits for the running attempt.
func (m *Machine) Waited() bool {
	return len(m.unsent)+len(m.schedule.runnable)+len(m.schedule.waiting) > 0
}

// Late says that an attempt has been running for ReportAfter, RequeueAfter or ReturnAfter, and
// returns what to do meanwhile.
func (m *Machine) Late(a journal.AttemptID, after time.Duration) Command {
	switch {
	case !m.IsRunning(a) || m.failed:
		// The attempt ended while the timer waited for the lock. The executing goroutine continues.
		return Command{}
	case after == RequeueAfter:
		if attempts := m.schedule.requeue(); len(attempts) > 0 {
			return Command{Action: Requeue, Attempts: attempts}
		}
		return Command{}
	case after == ReturnAfter:
		// The rest of the chain stays: no worker may start it before this attempt has succeeded.
		m.drop(ErrLate, m.schedule.fusedAhead())
	}

	switch {
	case len(m.unsent) == 0:
		return Command{}
	case m.call.inFlight:
		// An earlier late attempt is being reported. A second call could overtake the first, and
		// record outcomes in another order than they came about.
		return Command{Action: Wait}
	}

	// Without claims: whatever this worker claims now would wait behind the late attempt.
	return m.send(nil)
}
