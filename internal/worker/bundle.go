package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
)

// bundle is one delivery of a task: attempts of one run, executed one after the other. They are
// claimed in chunks, shortly before they are executed, and each is recorded by itself; what is
// recorded and what is claimed next share a call to Redis.
type bundle struct {
	worker   *Worker
	claim    journal.Claim
	loaded   *loaded
	origin   values.Origin
	queue    string
	task     string // its id
	executed func() // lets another bundle have the slot

	outputs  outputs
	patience *time.Timer
	// holds an element during a call to Redis: outcomes are recorded in the order in which they
	// came about
	stepping chan struct{}

	mu      sync.Mutex
	waiting []journal.AttemptID // not claimed
	due     []due               // not begun
	current *execution          // nil between attempts
	chain   []journal.AttemptID // those before the current one in its chain
	// patience runs. It is not begun anew for each attempt: that would wake a thread each time
	watched bool
	moves   []journal.Op // not sent: how attempts ended, and claims that follow from that
	ended   map[dag.StageID]bool
	// of instances, and of stages that gather what theirs have done; nil if there are none
	items  map[dag.StageID]queue.Item
	holds  map[journal.AttemptID]bool // claimed, and not reported
	halt   error                      // why no further attempt is begun; nil while it goes on
	failed int                        // attempts whose failure is recorded
	others bool                       // an outcome that is no failure is recorded
}

// due is an attempt that is claimed, or fused: the one before it is its stage's only dependency,
// and whoever holds the claim of that one is the only one who can come to execute it. It is begun
// without being asked for, and claimed together with the report that gives the right to it.
type due struct {
	journal.AttemptID
	fused bool
}

// countWithin is how long a bundle waits for its failures to be counted.
const countWithin = time.Second

const (
	// how much work is claimed at once, going by what such stages took before
	chunkTime = 8 * time.Millisecond
	maxChunk  = 256

	// When an attempt takes longer than expected,
	flushAfter    = 5 * time.Millisecond   // what ended before it is recorded,
	passOnAfter   = 25 * time.Millisecond  // what is not claimed goes to other workers,
	handBackAfter = 250 * time.Millisecond // and so does what is claimed.
)

// handle executes what it is granted of a bundle. What it is not granted is, or was, somebody
// else's.
func (w *Worker) handle(ctx context.Context, task queue.Batch, executed func()) error {
	ctx = context.WithoutCancel(ctx) // Asynq ends it with its own lease; the claim is what counts
	b, err := w.open(ctx, task)
	if errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrDigest) {
		w.Logger.Warn("bundle refused", "run", task.Run, "error", err)
		return nil // it will never be anything else
	}
	if err != nil {
		return err // deliver it again
	}

	b.executed = executed
	if done, err := b.giveBack(ctx, task.Hops); done || err != nil {
		return err
	}

	w.hold(b)
	defer w.release(b)

	err = b.work(ctx)
	b.countFailures(ctx)
	if errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrDigest) || errors.Is(err, journal.ErrTruncated) {
		w.Logger.Warn("bundle given up", "error", err)
		return nil
	}

	return err
}

func (w *Worker) open(ctx context.Context, task queue.Batch) (*bundle, error) {
	run, err := journal.ParseRunID(task.Run)
	if err != nil {
		return nil, errors.Join(journal.ErrNotFound, err)
	}

	l, err := w.specs.get(ctx, run, task.Digest)
	if err != nil {
		return nil, err
	}

	b := &bundle{worker: w, loaded: l, queue: task.Queue, task: task.ID, origin: values.Origin{Run: run, Incarnation: task.Incarnation, Digest: task.Digest}, stepping: make(chan struct{}, 1), ended: make(map[dag.StageID]bool), holds: make(map[journal.AttemptID]bool),
		claim: journal.Claim{Run: run, Digest: task.Digest, Worker: w.Info.ID, Token: journal.NewToken(), After: task.After}}
	for _, item := range task.Items {
		if _, twice := b.ended[item.Stage]; !twice && l.knows(item) {
			b.ended[item.Stage] = false
			b.waiting = append(b.waiting, journal.AttemptID{Stage: item.Stage, Attempt: item.Attempt})
			b.keep(item)
		}
	}

	return b, nil
}

// work executes the bundle and returns when everything that ended is recorded.
func (b *bundle) work(ctx context.Context) error {
	b.patience = time.AfterFunc(time.Hour, func() { b.impatient(ctx) })
	b.patience.Stop()
	defer b.patience.Stop()
	for {
		e, err := b.next(ctx)
		if e == nil || err != nil {
			return err
		}
		b.watch()
		b.end(e, b.worker.execute(e))
	}
}

// countFailures shows in asynqmon which attempts failed. Nothing depends on these counts, so it
// tries once.
func (b *bundle) countFailures(ctx context.Context) {
	b.mu.Lock()
	failed := b.failed
	others := b.others
	b.mu.Unlock()
	if failed == 0 {
		return
	}

	bounded, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	if err := b.worker.Queue.CountFailures(bounded, b.queue, failed, others); err != nil {
		b.worker.Logger.Warn("asynqmon will not show that stages failed", "run", b.claim.Run, "error", err)
	}
}

// watch sees to it that b becomes impatient with the attempt that has just begun, if something
// waits for it.
func (b *bundle) watch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.watched && len(b.moves)+len(b.due)+len(b.waiting) > 0 {
		b.watched = true
		b.patience.Reset(flushAfter)
	}
}

// awaitHalt sets why the bundle must halt, if it must. It is called, and returns, with the bundle's
// lock held.
func (b *bundle) awaitHalt() {
	for b.halt == nil {
		halt := b.worker.mustHalt()
		if !errors.Is(halt, errUnsure) {
			b.halt = halt
			return
		}
		b.mu.Unlock()
		time.Sleep(wakingPoll)
		b.mu.Lock()
	}
}

// wakingPoll is how often a bundle looks whether the worker knows again what it may do.
const wakingPoll = 10 * time.Millisecond

// next begins the next attempt. It is nil when there is none left and everything is recorded.
func (b *bundle) next(ctx context.Context) (*execution, error) {
	for {
		b.mu.Lock()
		b.awaitHalt()
		if b.halt != nil {
			b.abandon(b.halt, 0)
		}

		if e := b.begin(); e != nil {
			b.mu.Unlock()
			return e, nil
		}

		chunk := b.chunk()
		nothing := len(chunk)+len(b.moves) == 0
		b.mu.Unlock()
		if len(chunk) == 0 {
			b.executed()
		}

		if nothing {
			b.stepping <- struct{}{} // what an impatient step is sending is recorded first
			<-b.stepping
			return nil, b.passOn(ctx)
		}

		if err := b.step(ctx, chunk); err != nil {
			return nil, err
		}
	}
}

// begin begins the first attempt that is due, if there is one.
func (b *bundle) begin() *execution {
	for len(b.due) > 0 {
		next := b.due[0]
		dep, _ := b.loaded.spec.Behind(next.Stage)
		if next.fused && b.ended[dep] && !b.unsent(dep) {
			b.unfuse()
			continue
		}

		b.due = b.due[1:]
		if next.fused && !b.ended[dep] {
			continue
		}

		b.current = newExecution(b, next.AttemptID)
		if next.fused {
			b.chain = append(b.chain, b.moves[len(b.moves)-1].Of())
			b.current.chain = slices.Clip(b.chain)
			before := b.moves[len(b.moves)-1].Outcome
			b.current.before = &before
			claim := b.claimOf(next.AttemptID)
			claim.Linked = true
			b.moves = append(b.moves, claim)
			b.current.unclaimed = true
		} else {
			b.chain = nil
		}

		return b.current
	}

	return nil
}

// unsent reports whether the success of a stage is the last thing to be sent, so that a claim can
// follow from it.
func (b *bundle) unsent(s dag.StageID) bool {
	return len(b.moves) > 0 && b.moves[len(b.moves)-1].Record.Stage == s
}

// unfuse lets the rest of a chain wait for a claim like any other: the success that gave the right
// to it is recorded already.
func (b *bundle) unfuse() {
	n := b.fusedFrom(0)
	rest := make([]journal.AttemptID, n, n+len(b.waiting))
	for i := range rest {
		rest[i] = b.due[i].AttemptID
	}
	b.due = b.due[n:]
	b.waiting = append(rest, b.waiting...)
}

// fusedFrom returns where those that are due and fused without a gap from i on end.
func (b *bundle) fusedFrom(i int) int {
	for i < len(b.due) && b.due[i].fused {
		i++
	}
	return i
}

// abandon ends what is due from an index on without executing it.
func (b *bundle) abandon(cause error, from int) {
	for _, a := range b.due[from:] {
		if !a.fused {
			b.moves = append(b.moves, journal.Op{Outcome: *stopped(a.AttemptID, cause)})
		}
	}
	b.due = b.due[:from]
}

// chunk takes attempts to be claimed off those that wait: about as many as fill the chunk's time,
// the first whatever it takes. One that comes after another of the bundle is fused, or else taken
// when that one has succeeded, and dropped when it has not. Of stages about which nothing is known
// only a few are taken at once: what is behind one that takes long can then go to another worker as
// it is.
func (b *bundle) chunk() (chunk []due) {
	if b.halt != nil || b.worker.draining.Load() {
		return nil
	}

	var total time.Duration
	var guesses, most int
	for len(b.waiting) > 0 && len(chunk) < maxChunk {
		a := due{AttemptID: b.waiting[0]}
		switch b.depends(a.Stage, chunk) {
		case dropped:
			b.waiting = b.waiting[1:]
			continue
		case later:
			dep, _ := b.loaded.spec.Behind(a.Stage)
			if a.fused = chunk[len(chunk)-1].Stage == dep; !a.fused {
				return chunk
			}
		}

		took, known := b.loaded.durations.Of(b.graphStage(a.Stage))
		if !known {
			took, most = b.loaded.durations.Guess(b.graphStage(a.Stage))
			guesses++
		}

		if total += took; len(chunk) > 0 && (guesses > most || total > chunkTime) {
			return chunk
		}

		chunk = append(chunk, a)
		b.waiting = b.waiting[1:]
		if guesses > most {
			return chunk
		}
	}

	return chunk
}

type readiness int

const (
	now readiness = iota
	later
	dropped
)

// depends says what the bundle's other attempts mean for a stage. One that may travel behind its
// only dependency must not precede it; any other was ready when it was sent.
func (b *bundle) depends(s dag.StageID, chunk []due) readiness {
	dep, behind := b.loaded.spec.Behind(s)
	succeeded, ours := b.ended[dep]
	switch {
	case !behind || !ours || succeeded:
		return now
	case slices.ContainsFunc(chunk, func(a due) bool { return a.Stage == dep }):
		return later
	}

	return dropped
}

// end keeps how the current attempt ended until it is recorded.
func (b *bundle) end(e *execution, o *journal.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.current = nil
	if o == nil || e.isRevoked() {
		delete(b.holds, e.AttemptID)
		return
	}

	b.moves = append(b.moves, journal.Op{Outcome: *o})
	if o.Record.Type == journal.StageSucceeded {
		b.ended[e.Stage] = true
		if !e.gathers() {
			b.loaded.durations.Learn(e.graphStage(), o.Record.Duration)
		}
	}
}

// step records what has ended and claims a chunk, which is then due.
func (b *bundle) step(ctx context.Context, chunk []due) error {
	b.stepping <- struct{}{}
	defer func() { <-b.stepping }()

	b.mu.Lock()
	moves := b.moves
	b.moves = nil
	b.mu.Unlock()
	for _, a := range chunk {
		if !a.fused {
			moves = append(moves, b.claimOf(a.AttemptID))
		}
	}

	if len(moves) == 0 {
		return nil
	}

	var accepted []bool

	// Tried again with the same token: a claim that took effect although its answer was lost must
	// not be left behind.
	err := b.worker.insist("report and claim", b.claim.Run, func() (err error) {
		accepted, err = b.worker.Journal.Step(ctx, b.claim, moves)
		return err
	})
	if err != nil {
		return err
	}

	b.mu.Lock()
	defer b.mu.Unlock()

	granted := make(map[journal.AttemptID]bool, len(chunk))
	for i, m := range moves {
		if m.Record.Type == journal.StageStarted && accepted[i] {
			b.holds[m.Of()] = true
		} else {
			delete(b.holds, m.Of())
		}

		switch {
		case m.Record.Type == journal.StageStarted && !m.Linked:
			granted[m.Of()] = accepted[i]
		case m.Record.Type == journal.StageStarted:
			b.answer(m.Of(), accepted[i])
		case !accepted[i]:
			b.ended[m.Record.Stage] = false
			b.worker.Logger.Info("report not recorded", "run", b.claim.Run,
				"stage", b.name(m.Record.Stage), "attempt", m.Record.Attempt, "why", errRevoked)
		case m.Record.Type == journal.StageFailed:
			b.failed++
		default:
			b.others = true
		}
	}

	if len(granted) > 0 {
		b.worker.server.Begun(b.task)
	}

	for _, a := range chunk {
		if a.fused || granted[a.AttemptID] {
			b.due = append(b.due, a)
		}
	}

	return nil
}

// answer tells a fused attempt whether it was claimed. If it was not, nothing may follow from it.
func (b *bundle) answer(a journal.AttemptID, granted bool) {
	if !granted {
		b.ended[a.Stage] = false
	}

	if e := b.current; e != nil && e.AttemptID == a {
		e.unclaimed = false
		if !granted {
			e.revoke()
		}
	}
}
