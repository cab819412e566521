package coordinator

import (
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
)

// attempt is an attempt that was sent to a queue or claimed, and has not ended.
type attempt struct {
	number  dag.Attempt
	worker  string    // with the claim; empty if the attempt is not claimed
	claimed time.Time // when the coordinator read of the claim
	batch   *batch
}

// batch is attempts that were sent to a queue as one task.
type batch struct {
	id     string // of the task; empty if another coordinator sent it
	queue  string
	stages []dag.StageID // in the order in which they are executed
	load   load

	left    int       // attempts that have not ended
	claimed bool      // a worker has claimed an attempt of it
	gone    bool      // its task is in no queue, so there is nothing to remove
	active  time.Time // when it was sent, or last had a claim, an outcome or an answer of the queue
	missing time.Time // when it was first found nowhere; before active if that is outdated
}

const (
	// unclaimedAfter is how long a batch may be inactive before the queue is asked for it.
	unclaimedAfter = 3 * time.Second
	// missingFor is how long a batch must be found nowhere. A worker may just have taken the task,
	// and says so with its next heartbeat.
	missingFor = fleet.HeartbeatInterval
)

// isMissing notes that a batch was found nowhere, and reports whether it has been missing for long
// enough to be sent again.
func (b *batch) isMissing(now time.Time) bool {
	if b.missing.Before(b.active) {
		b.missing = now
	}
	return now.Sub(b.missing) >= missingFor
}

// inFlight records the attempts in flight, in which batch each of them was sent, and who has
// claimed it. It has no clock: callers pass the time.
type inFlight struct {
	stages   *stages
	attempts map[dag.StageID]*attempt
	batches  map[string]int      // by queue: batches of which an attempt has not ended
	parallel map[dag.StageID]int // by mapped stage with max_parallel: instances in flight
	// tasks that no worker should take any more, with their queues
	unwanted map[string]string
}

func newInFlight(st *stages) *inFlight {
	return &inFlight{stages: st, attempts: make(map[dag.StageID]*attempt), batches: make(map[string]int),
		parallel: make(map[dag.StageID]int), unwanted: make(map[string]string)}
}

// has reports whether an attempt of the stage is in flight.
func (f *inFlight) has(s dag.StageID) bool { return f.attempts[s] != nil }

// track records that the next attempt of a stage leaves with a batch.
func (f *inFlight) track(s dag.StageID, b *batch) *attempt {
	if b.left == 0 {
		f.batches[b.queue]++
	}

	b.left++
	if mapped, _, limited := f.stages.limited(s); limited {
		f.parallel[mapped]++
	}

	a := &attempt{number: f.stages.state.Attempt(s), batch: b}
	f.attempts[s] = a
	return a
}

// claim records a worker's claim of an attempt, and returns the batch of the attempt.
func (f *inFlight) claim(s dag.StageID, number dag.Attempt, worker string, now time.Time) *batch {
	a := f.attempts[s]
	if a == nil {
		// Another coordinator sent it, in a batch that is unknown here: it counts as one alone.
		a = f.track(s, &batch{queue: f.stages.queue(s), stages: []dag.StageID{s}})
	}

	a.number = number
	a.worker = worker
	a.claimed = now
	a.batch.claimed = true
	a.batch.active = now
	return a.batch
}

// complete removes a stage whose attempt has ended, and returns the batch of the attempt. It
// returns nil if no attempt of the stage is in flight.
func (f *inFlight) complete(s dag.StageID, now time.Time) *batch {
	a := f.attempts[s]
	if a == nil {
		return nil
	}

	delete(f.attempts, s)
	if mapped, _, limited := f.stages.limited(s); limited {
		f.parallel[mapped]--
	}

	b := a.batch
	b.active = now
	if b.left--; b.left > 0 {
		return b
	}

	f.batches[b.queue]--
	if !b.claimed && !b.gone && b.id != "" {
		// Its stages ended in another way, such as a cancellation: its task is still in the queue.
		f.unwanted[b.id] = b.queue
	}
	return b
}

// unclaimed lists the stages of a batch that no worker has claimed.
func (f *inFlight) unclaimed(b *batch) []dag.StageID {
	var list []dag.StageID
	for _, s := range b.stages {
		if a := f.attempts[s]; a != nil && a.batch == b && a.worker == "" {
			list = append(list, s)
		}
	}
	return list
}

// chainAfter lists the stages that follow a stage in its batch and wait for it.
func (f *inFlight) chainAfter(s dag.StageID) []dag.StageID {
	first := f.attempts[s]
	if first == nil {
		return nil
	}

	var chain []dag.StageID
	for {
		next, ok := f.stages.chainNext(s)
		if !ok || !f.has(next) || f.attempts[next].batch != first.batch {
			return chain
		}
		chain = append(chain, next)
		s = next
	}
}

// expected returns what the journal says of those of the stages that are in flight.
func (f *inFlight) expected(stages []dag.StageID) []journal.ExpectedState {
	var list []journal.ExpectedState
	for _, s := range stages {
		// The rest of a chain is in flight, but not claimable yet: the fence knows nothing of it.
		if a := f.attempts[s]; a != nil && (a.worker != "" || f.stages.claimable(s)) {
			list = append(list, journal.ExpectedState{AttemptID: journal.AttemptID{Stage: s, Attempt: a.number}, Claimed: a.worker != ""})
		}
	}
	return list
}

// overdue lists the batches that have been inactive for too long although a worker could claim an
// attempt of them.
func (f *inFlight) overdue(now time.Time) []*batch {
	var list []*batch
	listed := make(map[*batch]bool)
	for s, a := range f.attempts {
		b := a.batch
		if a.worker == "" && !listed[b] && now.Sub(b.active) >= unclaimedAfter && f.stages.claimable(s) {
			listed[b] = true
			list = append(list, b)
		}
	}
	return list
}
