package delivery

import (
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

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
func (m *Machine) claimBatch(claims []runnable) []runnable {
	var total time.Duration
	guesses := 0
	for len(m.waiting) > 0 && len(claims) < maxClaims {
		next := runnable{AttemptID: m.waiting[0]}
		switch m.readiness(next.Stage, claims) {
		case dropped:
			m.waiting = m.waiting[1:]
			continue
		case later:
			before, _ := m.stages.Predecessor(next.Stage)
			next.fused = claims[len(claims)-1].Stage == before
			if !next.fused {
				return claims // it is claimed once that one has succeeded
			}
		}

		e := m.stages.Estimate(next.Stage)
		if e.Guessed {
			guesses++
		}
		total += e.Took
		unsure := e.Guessed && guesses > e.AtOnce
		if len(claims) > 0 && (unsure || total > claimTime) {
			return claims
		}

		claims = append(claims, next)
		m.waiting = m.waiting[1:]
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
// its dependency only if it can follow it in a chain. Every other stage was ready when it was sent.
func (m *Machine) readiness(s dag.StageID, claims []runnable) readiness {
	before, follows := m.stages.Predecessor(s)
	succeeded, ours := m.succeeded[before]
	switch {
	case !follows || !ours || succeeded:
		return ready
	case slices.ContainsFunc(claims, func(a runnable) bool { return a.Stage == before }):
		return later
	}
	return dropped
}

// requeue removes the attempts that wait and returns them to the queue. Those that follow an
// attempt which stays in this worker stay with it.
func (m *Machine) requeue() Command {
	var stay []journal.AttemptID
	var gone []runnable
	c := Command{Action: Requeue}
	for _, a := range m.waiting {
		if m.readiness(a.Stage, gone) == dropped {
			stay = append(stay, a)
			continue
		}
		gone = append(gone, runnable{AttemptID: a})
		c.Attempts = append(c.Attempts, a)
	}

	m.waiting = stay
	if len(c.Attempts) == 0 {
		return Command{}
	}
	return c
}

// Upcoming calls yield with the claimed attempts that are executed next, until it returns false.
func (m *Machine) Upcoming(yield func(journal.AttemptID) bool) {
	for _, a := range m.runnable {
		if !a.fused && !yield(a.AttemptID) {
			return
		}
	}
}
