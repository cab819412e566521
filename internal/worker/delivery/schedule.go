package delivery

import (
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// schedule is the order in which the attempts of a batch are claimed and executed.
type schedule struct {
	stages   Stages
	waiting  []journal.AttemptID // not claimed
	runnable []runnable          // claimed or fused, and not started
	// succeeded has every stage of the batch. The value is true after a success that Redis has not
	// refused.
	succeeded map[dag.StageID]bool
}

// runnable is an attempt that may be started.
//
// A fused attempt has no claim yet. The attempt before it is its only dependency. No other worker
// gets its stage before that success is recorded, and only this worker can have it recorded. So a
// fused attempt is started without asking, and claimed in the same call that reports the success.
// The chain A, B, C takes two calls, as long as no attempt of it is late:
//
//	call 1   claim A                                          A granted; B and C are fused
//	         execute A, then B with the output of A, then C
//	call 2   A succeeded, linked claim B, B succeeded,
//	         linked claim C, C succeeded                      each refused if the one before is
type runnable struct {
	journal.AttemptID
	fused bool
}

func newSchedule(stages Stages, attempts []journal.AttemptID) schedule {
	s := schedule{
		stages:    stages,
		waiting:   make([]journal.AttemptID, 0, len(attempts)),
		succeeded: make(map[dag.StageID]bool, len(attempts)),
	}
	for _, a := range attempts {
		// Two attempts of one stage would share its entry in succeeded, so the first one counts.
		if _, twice := s.succeeded[a.Stage]; !twice {
			s.succeeded[a.Stage] = false
			s.waiting = append(s.waiting, a)
		}
	}

	return s
}

// reject removes the attempts of unknown stages. It returns those that could be executed now.
func (s *schedule) reject(unknown func(dag.StageID) bool) (requeue []journal.AttemptID, empty bool) {
	kept := make([]journal.AttemptID, 0, len(s.waiting))
	for _, a := range s.waiting {
		switch {
		case !unknown(a.Stage):
			kept = append(kept, a)
		case s.readiness(a.Stage, nil) == ready:
			// A stage behind another one of the batch must not be requeued: a worker that has its
			// handler could start it before its dependency has succeeded.
			requeue = append(requeue, a)
		}
	}

	s.waiting = kept
	return requeue, len(kept) == 0
}

// How much is claimed in one call.
const (
	// claimTime is the expected work of a claim. It is longer than a call to Redis takes, and short
	// enough that other workers do not wait for what this one has claimed.
	claimTime = 8 * time.Millisecond
	maxClaims = 256
)

// Estimate is how long a stage is expected to take.
type Estimate struct {
	Took    time.Duration
	Guessed bool // no stage of its kind has succeeded yet
	AtOnce  int  // how many stages may be claimed on a guess like this one
}

// claimBatch takes attempts to claim off those that wait, and appends them to claims: about as many
// as fill the time of a claim, and at least one.
func (s *schedule) claimBatch(claims []runnable) []runnable {
	var total time.Duration
	guesses := 0
	for len(s.waiting) > 0 && len(claims) < maxClaims {
		next := runnable{AttemptID: s.waiting[0]}
		switch s.readiness(next.Stage, claims) {
		case dropped:
			// The coordinator reads the failure in the journal and decides what follows.
			s.waiting = s.waiting[1:]
			continue
		case later:
			before, _ := s.stages.Predecessor(next.Stage)
			next.fused = claims[len(claims)-1].Stage == before
			if !next.fused {
				return claims // it is claimed once that one has succeeded
			}
		}

		// A long stage is claimed alone. An attempt claimed behind it would be bound to this
		// worker, while another worker could execute it.
		e := s.stages.Estimate(next.Stage)
		if e.Guessed {
			guesses++
		}
		total += e.Took
		unsure := e.Guessed && guesses > e.AtOnce
		if len(claims) > 0 && (unsure || total > claimTime) {
			return claims
		}

		claims = append(claims, next)
		s.waiting = s.waiting[1:]
		if unsure {
			// What waits behind a stage that turns out to be long can go to another worker as it
			// is, without a claim to give up.
			return claims
		}
	}

	return claims
}

type readiness int

const (
	ready   readiness = iota
	later             // its dependency is in the same claim
	dropped           // its dependency has not succeeded
)

// readiness says what the other attempts of the batch mean for a stage. A stage is in a batch with
// its dependency only if it can follow it in a chain.
func (s *schedule) readiness(stage dag.StageID, claims []runnable) readiness {
	before, follows := s.stages.Predecessor(stage)
	succeeded, ours := s.succeeded[before]
	switch {
	case !follows || !ours || succeeded:
		// Without its dependency in the batch, the stage was ready when the coordinator sent it.
		return ready
	case slices.ContainsFunc(claims, func(a runnable) bool { return a.Stage == before }):
		return later
	}
	return dropped
}

// requeue removes and returns the attempts that wait. Those that follow an attempt which stays in
// this worker stay with it.
func (s *schedule) requeue() (attempts []journal.AttemptID) {
	var stay []journal.AttemptID
	var gone []runnable
	for _, a := range s.waiting {
		if s.readiness(a.Stage, gone) == dropped {
			stay = append(stay, a)
			continue
		}
		// The requeued task keeps the order, so the rest of a chain may travel with its head.
		gone = append(gone, runnable{AttemptID: a})
		attempts = append(attempts, a)
	}

	s.waiting = stay
	return attempts
}

// unfuse moves the chain at the head of the runnable attempts back to those that wait for a claim.
func (s *schedule) unfuse() {
	n := s.fusedAhead()
	rest := make([]journal.AttemptID, n, n+len(s.waiting))

	// At the front: the chain came before the attempts that still wait.
	for i := range rest {
		rest[i] = s.runnable[i].AttemptID
	}

	s.runnable = s.runnable[n:]
	s.waiting = append(rest, s.waiting...)
}

// fusedAhead returns how many attempts at the head of the runnable ones continue the chain of the
// running one.
func (s *schedule) fusedAhead() int {
	n := 0
	for n < len(s.runnable) && s.runnable[n].fused {
		n++
	}
	return n
}

// remove removes an attempt whose claim is void. A fused one has no claim.
func (s *schedule) remove(a journal.AttemptID) {
	s.runnable = slices.DeleteFunc(s.runnable, func(r runnable) bool { return r.AttemptID == a && !r.fused })
}

// upcoming calls yield with the claimed attempts that are executed next, until it returns false.
func (s *schedule) upcoming(yield func(journal.AttemptID) bool) {
	for _, a := range s.runnable {
		if !a.fused && !yield(a.AttemptID) {
			return
		}
	}
}
