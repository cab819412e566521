package delivery

import (
	"maps"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// Stages tells the machine what it must know about the stages of a batch.
type Stages interface {
	// Predecessor returns the only dependency of a stage, if the stage can follow it in a chain.
	Predecessor(dag.StageID) (dag.StageID, bool)
	// CleansUp reports whether a stage is executed in a cancelled run too.
	CleansUp(dag.StageID) bool
	// Estimate returns how long a stage is expected to take.
	Estimate(dag.StageID) Estimate
}

// Machine is the state of one delivered batch. It is not safe for concurrent use.
type Machine struct {
	schedule schedule
	running  running
	chain    []journal.AttemptID // the attempts before the running one in its chain

	unsent []journal.Op // outcomes, and linked claims behind them
	call   call

	held   map[journal.AttemptID]bool // claimed, and not reported
	halted error                      // why no further attempt is started; nil while it may
	failed bool                       // a call has failed for good
	counts Counts
}

// running is the attempt that is being executed.
type running struct {
	journal.AttemptID
	active  bool // false between attempts
	claimed bool // false while the linked claim of a fused attempt has not been answered
	revoked bool // its outcome is not wanted
}

// call is a call to Redis.
type call struct {
	ops      []journal.Op
	claims   []runnable // claimed by it, or fused to one that is
	inFlight bool
}

// Counts says how many attempts of a batch were recorded.
type Counts struct {
	Failed int
	Others bool // at least one was recorded that did not fail
}

// Action is what a [Command] tells the worker to do.
type Action int

// The actions. None is for events that need no action.
const (
	None    Action = iota
	Start          // execute Attempt, then call End
	Send           // send Ops in one call, then call Answer or Fail
	Requeue        // return Attempts to the queue
	Wait           // for the answer to the call that is in flight, then ask again
	Done           // nothing is left
)

// Command is what the worker must do next.
type Command struct {
	Action Action

	Attempt journal.AttemptID   // to start
	Before  *journal.Outcome    // of the attempt before it in a chain; nil if it is not fused
	Chain   []journal.AttemptID // before it in a chain, the first one first

	Ops    []journal.Op // to send; valid until the answer
	Claims bool         // Ops has claims of attempts that were not started

	Attempts []journal.AttemptID // to requeue

	// SlotFree says that no further attempt of the batch will be started. The worker may take
	// another batch while it reports this one.
	SlotFree bool
}

// New returns a machine for a batch that was delivered. An attempt of a stage that the batch had
// before is left out.
func New(stages Stages, attempts []journal.AttemptID) *Machine {
	return &Machine{schedule: newSchedule(stages, attempts), held: make(map[journal.AttemptID]bool)}
}

// Reject removes the attempts whose stages are unknown to the worker. It is called before Next.
// It returns those that another worker may execute now, and whether the batch is empty. An attempt
// that follows one of the batch is in neither: the coordinator sends it again, as after a failure.
func (m *Machine) Reject(unknown func(dag.StageID) bool) (requeue []journal.AttemptID, empty bool) {
	return m.schedule.reject(unknown)
}

// Next returns what to do while no attempt is running. A draining worker claims nothing more.
func (m *Machine) Next(draining bool) Command {
	if m.failed {
		return Command{Action: Done, SlotFree: true}
	}
	if m.halted != nil {
		// Claimed attempts are reported as stopped. Otherwise the coordinator would wait for them
		// until it counts this worker as dead.
		m.drop(m.halted, 0)
	}

	if c, ok := m.start(); ok {
		return c
	}

	stopping := m.halted != nil || draining
	if m.call.inFlight {
		// The answer may end a chain, so nothing is claimed before it is known.
		return Command{Action: Wait, SlotFree: stopping || len(m.schedule.waiting) == 0}
	}

	// One call reports what has ended and claims what is next. A round trip costs more than a short
	// stage.
	claims := m.call.claims[:0]
	if !stopping {
		claims = m.schedule.claimBatch(claims)
	}
	if len(claims)+len(m.unsent) > 0 {
		c := m.send(claims)
		c.SlotFree = len(claims) == 0
		return c
	}

	// Attempts are left here only if none may be started. Without a claim they need no record.
	if attempts := m.schedule.requeue(); len(attempts) > 0 {
		return Command{Action: Requeue, Attempts: attempts, SlotFree: true}
	}

	return Command{Action: Done, SlotFree: true}
}

// start starts the first runnable attempt, if there is one.
func (m *Machine) start() (Command, bool) {
	for len(m.schedule.runnable) > 0 {
		next := m.schedule.runnable[0]
		before, _ := m.schedule.stages.Predecessor(next.Stage)
		succeeded := m.schedule.succeeded[before]
		if next.fused && succeeded && !m.endsUnsent(before) {
			// A late attempt has sent the success already. A linked claim must follow it in the
			// same call, so the rest of the chain waits for claims like any other attempt.
			m.schedule.unfuse()
			continue
		}

		m.schedule.runnable = m.schedule.runnable[1:]
		if next.fused && !succeeded {
			continue // the coordinator decides what follows from the failure
		}

		m.running = running{AttemptID: next.AttemptID, active: true, claimed: !next.fused}
		c := Command{Action: Start, Attempt: next.AttemptID}
		if !next.fused {
			m.chain = nil
			return c, true
		}

		// The attempt gets the output of the one before it from here. Redis may not have it yet.
		last := m.unsent[len(m.unsent)-1]
		m.chain = append(m.chain, last.Of())
		c.Before = &last.Outcome
		c.Chain = slices.Clip(m.chain) // the next attempt of the chain appends to it

		claim := m.claimOp(next.AttemptID)
		claim.Linked = true
		m.unsent = append(m.unsent, claim)
		return c, true
	}

	return Command{}, false
}

// endsUnsent reports whether the success of a stage is the last operation to be sent, so that a
// linked claim can follow it.
func (m *Machine) endsUnsent(s dag.StageID) bool {
	return len(m.unsent) > 0 && m.unsent[len(m.unsent)-1].Record.Stage == s
}

// drop ends the runnable attempts from an index on without executing them.
func (m *Machine) drop(cause error, from int) {
	for _, a := range m.schedule.runnable[from:] {
		if !a.fused { // a fused one has no claim to give up
			m.unsent = append(m.unsent, journal.Op{Outcome: Stopped(a.AttemptID, cause)})
		}
	}
	m.schedule.runnable = m.schedule.runnable[:from]
}

func (m *Machine) claimOp(a journal.AttemptID) journal.Op {
	claim := journal.ClaimOp(a)
	claim.CleanUp = m.schedule.stages.CleansUp(a.Stage)
	return claim
}

// send sends what has ended, with claims.
func (m *Machine) send(claims []runnable) Command {
	ops := m.unsent
	for _, a := range claims {
		if !a.fused {
			ops = append(ops, m.claimOp(a.AttemptID))
		}
	}

	// The operations of the last call were answered, so their memory can be used again.
	m.unsent = m.call.ops[:0]
	m.call = call{ops: ops, claims: claims, inFlight: true}
	return Command{Action: Send, Ops: ops, Claims: len(claims) > 0}
}

// Answer says for each operation that was sent whether Redis has accepted it. It returns the
// attempts whose outcomes were refused, and whether the running attempt must be killed.
func (m *Machine) Answer(accepted []bool) (refused []journal.AttemptID, kill bool) {
	for i, op := range m.call.ops {
		a := op.Of()
		claim := op.Record.Type == journal.StageStarted
		if claim && accepted[i] {
			// Heartbeats list what is held. The coordinator records a claim as lost that is in no
			// heartbeat: Redis may have lost the report.
			m.held[a] = true
		} else {
			delete(m.held, a)
		}

		switch {
		case claim && op.Linked:
			kill = m.answerLinked(a, accepted[i]) || kill
		case claim: // see below
		case !accepted[i]:
			// What follows from a success that does not count must not be started.
			m.schedule.succeeded[a.Stage] = false
			refused = append(refused, a)
		case op.Record.Type == journal.StageFailed:
			m.counts.Failed++
		default:
			m.counts.Others = true
		}
	}

	m.schedule.runnable = append(m.schedule.runnable, m.call.granted(accepted)...)
	clear(m.call.ops) // they hold outputs and logs
	m.call.inFlight = false
	return refused, kill
}

// answerLinked says whether the linked claim of a fused attempt was granted. It reports whether
// that attempt is running without a right to it.
func (m *Machine) answerLinked(a journal.AttemptID, granted bool) (kill bool) {
	if !granted {
		// The attempt may have ended already. The rest of its chain must not follow from it.
		m.schedule.succeeded[a.Stage] = false
	}
	if !m.IsRunning(a) {
		return false
	}

	m.running.claimed = true // Redis has answered: this attempt can be asked about
	m.running.revoked = m.running.revoked || !granted
	return !granted
}

// granted returns the attempts of the call that are now runnable.
func (c *call) granted(accepted []bool) []runnable {
	// The claims are the last operations of the call, in the same order. Fused attempts have none.
	op := len(c.ops)
	for _, a := range c.claims {
		if !a.fused {
			op--
		}
	}

	list := c.claims[:0]
	for _, a := range c.claims {
		if a.fused || accepted[op] {
			list = append(list, a)
		}
		if !a.fused {
			op++
		}
	}

	return list
}

// Fail says that a call has failed for good: nothing more can be claimed or reported.
func (m *Machine) Fail() {
	m.failed = true
	m.call.inFlight = false
}

// End says how the running attempt has ended. The outcome is nil if it is not wanted.
func (m *Machine) End(o *journal.Outcome) {
	ended := m.running
	m.running = running{}
	if o == nil || ended.revoked {
		// A report would be refused. The attempt was held until now, because its handler was
		// running: heartbeats say what the worker executes.
		delete(m.held, ended.AttemptID)
		return
	}

	m.unsent = append(m.unsent, journal.Op{Outcome: *o})
	if o.Record.Type == journal.StageSucceeded {
		m.schedule.succeeded[ended.Stage] = true
	}
}

// Revoke says that the claim of an attempt is void. It reports whether the attempt is running and
// must be killed.
func (m *Machine) Revoke(a journal.AttemptID) (kill bool) {
	if m.IsRunning(a) {
		m.running.revoked = true
		return true // it is held until its handler has returned
	}

	m.schedule.remove(a)
	delete(m.held, a)
	return false
}

// Halt says that no further attempt may be started, and why. The first cause counts.
func (m *Machine) Halt(cause error) {
	if m.halted == nil {
		m.halted = cause
	}
}

// Halted returns why no further attempt may be started; nil if it may.
func (m *Machine) Halted() error { return m.halted }

// IsRunning reports whether an attempt is running.
func (m *Machine) IsRunning(a journal.AttemptID) bool {
	return m.running.active && m.running.AttemptID == a
}

// RunningClaimed reports whether an attempt is running and claimed.
func (m *Machine) RunningClaimed() bool { return m.running.active && m.running.claimed }

// Claimed returns the attempts that are claimed and have not ended, the running one first.
func (m *Machine) Claimed() (list []journal.AttemptID) {
	if m.RunningClaimed() {
		list = append(list, m.running.AttemptID)
	}

	m.schedule.upcoming(func(a journal.AttemptID) bool {
		list = append(list, a)
		return true
	})

	return list
}

// Upcoming calls yield with the claimed attempts that are executed next, until it returns false.
func (m *Machine) Upcoming(yield func(journal.AttemptID) bool) { m.schedule.upcoming(yield) }

// Held returns the attempts that are claimed and whose reports are not recorded.
func (m *Machine) Held() []journal.AttemptID { return slices.Collect(maps.Keys(m.held)) }

// Counts returns how many attempts were recorded.
func (m *Machine) Counts() Counts { return m.counts }
