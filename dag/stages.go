package dag

import "slices"

// stageTable holds what a run knows of each stage: a row for each stage of the graph, then one for
// each instance.
//
// Each column is a slice. An event changes one or two columns of many stages, and the small values
// of one column share cache lines.
type stageTable struct {
	state    []State
	attempt  []Attempt  // the attempt that runs; if none does, the next one
	missing  []uint32   // number of stages that this one waits for: see triggers.countMissing
	decision []decision // undecided while a stage may still be executed

	// ending is valid for stages that are skipped or cancelled. It is nil until one ended other
	// than by decision: in most runs none does.
	ending []ending

	// cause is valid for stages that are skipped, or will be. It is nil until there is one: in most
	// runs no stage is skipped.
	cause []StageID

	failures map[StageID]uint16 // failed attempts that another attempt followed
	counts   [numStates]int     // current stages by state
}

// decision is what was decided about a stage before a worker could execute it. The run commands it
// once, and it takes effect when it comes back as an event. A worker that claimed the stage in the
// meantime keeps its claim.
type decision uint8

const (
	undecided decision = iota
	willSkip
	willCancel
)

// ending is how a stage came to be skipped or cancelled. It is kept with the stage, because in a
// reopened run the cause may be executed again with another outcome.
type ending uint8

const (
	byDecision        ending = iota // no worker had claimed it, and nothing below holds
	whileClaimed                    // a worker had claimed it
	afterFailure                    // its cause had failed
	afterCancellation               // its cause had been cancelled
)

func newStageTable(n int) stageTable {
	t := stageTable{
		state:    make([]State, n),
		attempt:  make([]Attempt, n),
		missing:  make([]uint32, n),
		decision: make([]decision, n),
	}
	t.counts[Waiting] = n
	return t
}

// addReady adds n instances that are ready. The first instances start with the given attempts, all
// others with attempt 1.
func (t *stageTable) addReady(n int, attempts []Attempt) {
	base := len(t.state)
	t.state = grow(t.state, n, Ready)
	t.attempt = grow(t.attempt, n, 1)
	copy(t.attempt[base:], attempts)
	t.missing = grow(t.missing, n, 0)
	t.decision = grow(t.decision, n, undecided)
	if t.cause != nil {
		t.cause = grow(t.cause, n, 0)
	}
	if t.ending != nil {
		t.ending = grow(t.ending, n, byDecision)
	}
	t.counts[Ready] += n
}

func grow[T any](list []T, n int, value T) []T {
	// Grow allocates once: append alone would copy a list of a million instances several times.
	list = slices.Grow(list, n)
	for range n {
		list = append(list, value)
	}
	return list
}

// uncount leaves n instances from base on out of the counts: they were replaced. Their rows stay,
// so that late events about them still find a terminal state.
func (t *stageTable) uncount(base StageID, n int) {
	for _, state := range t.state[base : base+StageID(n)] {
		t.counts[state]--
	}
}

// total returns the number of current stages.
func (t *stageTable) total() int {
	n := 0
	for _, count := range t.counts {
		n += count
	}
	return n
}

// done reports whether every current stage is terminal.
func (t *stageTable) done() bool {
	return t.counts[Waiting]+t.counts[Ready]+t.counts[Running]+t.counts[Retrying] == 0
}

func (t *stageTable) set(s StageID, to State) {
	t.counts[t.state[s]]--
	t.counts[to]++
	t.state[s] = to
}

func (t *stageTable) setCause(s, cause StageID) {
	if t.cause == nil {
		t.cause = make([]StageID, len(t.state))
	}
	t.cause[s] = cause
}

func (t *stageTable) setEnding(s StageID, e ending) {
	if t.ending == nil {
		if e == byDecision {
			return
		}
		t.ending = make([]ending, len(t.state))
	}
	t.ending[s] = e
}

// ended reports whether a stage that is skipped or cancelled ended like that.
func (t *stageTable) ended(s StageID, e ending) bool { return t.ending != nil && t.ending[s] == e }

// addFailure counts a failed attempt and makes the stage wait for its next one.
func (t *stageTable) addFailure(s StageID) {
	if t.failures == nil {
		t.failures = make(map[StageID]uint16)
	}
	t.failures[s]++
	t.attempt[s]++
	t.set(s, Retrying)
}

// decideSkip decides that a stage will be skipped. It returns false for a stage that is not
// waiting, or about which something is decided already.
func (t *stageTable) decideSkip(s, cause StageID) bool {
	if t.decision[s] != undecided || t.state[s] != Waiting {
		return false
	}
	t.decision[s] = willSkip
	t.setCause(s, cause)
	return true
}

// reset lets a terminal stage be executed again.
func (t *stageTable) reset(s StageID) {
	if t.claimed(s) {
		// Run, stage and attempt name one execution, so its number cannot be used again.
		t.attempt[s]++
	}
	t.decision[s] = undecided
	t.setEnding(s, byDecision)
	delete(t.failures, s)
	t.set(s, Waiting)
}

// skipped reports whether a stage is skipped, or will be.
func (t *stageTable) skipped(s StageID) bool {
	return t.state[s] == Skipped || t.state[s] == Waiting && t.decision[s] == willSkip
}

// selfSkipped reports whether a stage is skipped, or will be, because its condition or trigger was
// not met.
func (t *stageTable) selfSkipped(s StageID) bool { return t.skipped(s) && t.cause[s] == s }

// succeeded reports whether an instance counts as a success of its mapped stage. An instance that
// skipped itself does: the list has elements that a condition leaves out.
func (t *stageTable) succeeded(instance StageID) bool {
	return t.state[instance] == Succeeded || t.selfSkipped(instance)
}

// failed reports whether a stage failed, or was skipped because another one did.
func (t *stageTable) failed(s StageID) bool {
	return t.state[s] == Failed || t.state[s] == Skipped && t.ended(s, afterFailure)
}

// unsuccessful reports whether a stage failed or was cancelled, or was skipped because another one
// was.
func (t *stageTable) unsuccessful(s StageID) bool {
	return t.state[s] == Cancelled || t.failed(s) || t.state[s] == Skipped && t.ended(s, afterCancellation)
}

// causeOf returns the stage to blame when s did not succeed: the cause of its skip, or s itself.
func (t *stageTable) causeOf(s StageID) StageID {
	if t.skipped(s) {
		return t.cause[s]
	}
	return s
}

// claimed reports whether a worker had claimed the last attempt of a terminal stage.
func (t *stageTable) claimed(s StageID) bool {
	return t.state[s] == Succeeded || t.state[s] == Failed || t.ended(s, whileClaimed)
}
