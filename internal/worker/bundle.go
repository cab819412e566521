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
)

// bundle is one delivery of a task: attempts of one run, executed one after the other. They are claimed in chunks, shortly before they
// are executed, and each is recorded by itself; what is recorded and what is claimed next share a call to Redis.
type bundle struct {
	worker   *Worker
	claim    journal.Claimant
	loaded   *loaded
	queue    string
	executed func() // lets another bundle have the slot

	stepping sync.Mutex // held during a call to Redis: outcomes are recorded in the order in which they came about

	mu       sync.Mutex
	waiting  []journal.Attempted // not claimed
	claimed  []journal.Attempted // claimed, not begun
	current  *execution          // nil between attempts
	outcomes []journal.Outcome   // not recorded
	ended    map[dag.StageID]bool
	halt     error // why no further attempt is begun; nil while it goes on
}

const (
	chunkTime = 2 * time.Millisecond // how much work is claimed at once, going by what such stages took before
	maxChunk  = 128

	// When an attempt takes longer than expected,
	flushAfter    = 5 * time.Millisecond   // what ended before it is recorded,
	passOnAfter   = 25 * time.Millisecond  // what is not claimed goes to other workers,
	handBackAfter = 250 * time.Millisecond // and so does what is claimed.
)

// handle executes what it is granted of a bundle. What it is not granted is, or was, somebody else's.
func (w *Worker) handle(ctx context.Context, task queue.Bundle, executed func()) error {
	ctx = context.WithoutCancel(ctx) // Asynq ends it with its own lease; the claim is what counts
	b, err := w.open(ctx, task)
	if errors.Is(err, journal.ErrGone) || errors.Is(err, journal.ErrDigest) {
		w.Logger.Warn("bundle refused", "run", task.Run, "error", err)
		return nil // it will never be anything else
	}
	if err != nil {
		return err // deliver it again
	}
	b.executed = executed
	w.hold(b)
	defer w.release(b)
	err = b.work(ctx)
	if errors.Is(err, journal.ErrGone) || errors.Is(err, journal.ErrDigest) {
		w.Logger.Warn("bundle given up", "error", err)
		return nil
	}
	return err
}

func (w *Worker) open(ctx context.Context, task queue.Bundle) (*bundle, error) {
	run, err := journal.ParseRunID(task.Run)
	if err != nil {
		return nil, errors.Join(journal.ErrGone, err)
	}
	l, err := w.specs.get(ctx, run, task.Digest)
	if err != nil {
		return nil, err
	}
	b := &bundle{worker: w, loaded: l, queue: task.Queue, ended: make(map[dag.StageID]bool),
		claim: journal.Claimant{Run: run, Digest: task.Digest, Worker: w.Info.ID, Token: journal.NewToken()}}
	for _, item := range task.Items {
		if a := journal.Attempted(item); int(a.Stage) < l.spec.Graph.Len() {
			if _, twice := b.ended[a.Stage]; !twice {
				b.ended[a.Stage] = false
				b.waiting = append(b.waiting, a)
			}
		}
	}
	return b, nil
}

// work executes the bundle and returns when everything that ended is recorded.
func (b *bundle) work(ctx context.Context) error {
	patience := time.AfterFunc(time.Hour, func() { b.impatient(ctx) })
	patience.Stop()
	defer patience.Stop()
	for {
		e, err := b.next(ctx)
		if e == nil || err != nil {
			return err
		}
		if b.others() {
			patience.Reset(flushAfter)
		}
		outcome := b.worker.execute(e)
		patience.Stop()
		b.end(e, outcome)
	}
}

// others reports whether something waits for the attempt that has just begun.
func (b *bundle) others() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.outcomes)+len(b.claimed)+len(b.waiting) > 0
}

// next begins the next attempt. It is nil when there is none left and everything is recorded.
func (b *bundle) next(ctx context.Context) (*execution, error) {
	for {
		b.mu.Lock()
		if b.halt == nil {
			b.halt = b.worker.mustHalt()
		}
		if b.halt != nil {
			b.abandon()
		}
		if len(b.claimed) > 0 {
			e := newExecution(b, b.claimed[0])
			b.claimed, b.current = b.claimed[1:], e
			b.mu.Unlock()
			return e, nil
		}
		chunk := b.chunk()
		nothing := len(chunk)+len(b.outcomes) == 0
		b.mu.Unlock()
		if len(chunk) == 0 {
			b.executed()
		}
		if nothing {
			return nil, b.passOn(ctx)
		}
		if err := b.step(ctx, chunk); err != nil {
			return nil, err
		}
	}
}

// abandon ends what is claimed without executing it.
func (b *bundle) abandon() {
	for _, a := range b.claimed {
		if o := stopped(a, b.halt); o != nil {
			b.outcomes = append(b.outcomes, *o)
		}
	}
	b.claimed = nil
}

// chunk takes attempts to be claimed off those that wait: about as many as fill the chunk's time, the first whatever it takes. One that comes
// after another of the bundle is taken when that one has succeeded, and dropped when it has not.
func (b *bundle) chunk() (chunk []journal.Attempted) {
	if b.halt != nil || b.worker.draining.Load() {
		return nil
	}
	var total time.Duration
	for len(b.waiting) > 0 && len(chunk) < maxChunk {
		a := b.waiting[0]
		switch b.depends(a.Stage, chunk) {
		case dropped:
			b.waiting = b.waiting[1:]
			continue
		case later:
			return chunk
		}
		took, known := b.loaded.durations.Of(a.Stage)
		if total += took; len(chunk) > 0 && (!known || total > chunkTime) {
			return chunk
		}
		chunk, b.waiting = append(chunk, a), b.waiting[1:]
		if !known {
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

// depends says what the bundle's other attempts mean for a stage.
func (b *bundle) depends(s dag.StageID, chunk []journal.Attempted) readiness {
	if len(b.ended) == 1 {
		return now
	}
	for _, d := range b.loaded.spec.Graph.Deps(s) {
		succeeded, ours := b.ended[d]
		switch {
		case !ours || succeeded:
		case slices.ContainsFunc(chunk, func(a journal.Attempted) bool { return a.Stage == d }):
			return later
		default:
			return dropped
		}
	}
	return now
}

// end keeps how the current attempt ended until it is recorded.
func (b *bundle) end(e *execution, o *journal.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current = nil
	if o == nil {
		return
	}
	b.outcomes = append(b.outcomes, *o)
	if o.Record.Type == journal.StageSucceeded {
		b.ended[e.Stage] = true
		b.loaded.durations.Learn(e.Stage, o.Record.Duration)
	}
}

// step records what has ended and claims a chunk, which is then begun with.
func (b *bundle) step(ctx context.Context, chunk []journal.Attempted) error {
	b.stepping.Lock()
	defer b.stepping.Unlock()
	b.mu.Lock()
	outcomes := b.outcomes
	b.outcomes = nil
	b.mu.Unlock()
	if len(outcomes)+len(chunk) == 0 {
		return nil
	}
	var accepted, granted []bool
	// Tried again with the same token: a claim that took effect although its answer was lost must not be left behind.
	err := b.worker.insist("report and claim", b.claim.Run, func() (err error) {
		accepted, granted, err = b.worker.Journal.Step(ctx, b.claim, outcomes, chunk)
		return err
	})
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		if !accepted[i] {
			b.worker.Logger.Warn("report refused: another attempt has replaced this one", "run", b.claim.Run,
				"stage", b.loaded.spec.Graph.Name(o.Record.Stage), "attempt", o.Record.Attempt)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range chunk {
		if granted[i] {
			b.claimed = append(b.claimed, a)
		}
	}
	return nil
}

// impatient is called while an attempt takes longer than expected. Nothing else should wait for it.
func (b *bundle) impatient(ctx context.Context) {
	b.mu.Lock()
	e := b.current
	b.mu.Unlock()
	if e == nil {
		return
	}
	if err := b.step(ctx, nil); err != nil {
		return // said already, and met again by whoever steps next
	}
	if !e.within(passOnAfter) {
		return
	}
	if err := b.passOn(ctx); err != nil {
		b.worker.Logger.Warn("cannot pass on stages, they wait behind a long one", "run", b.claim.Run, "error", err)
	}
	if !e.within(handBackAfter) {
		return
	}
	b.mu.Lock()
	if b.current == e {
		for _, a := range b.claimed {
			b.outcomes = append(b.outcomes, *stopped(a, errBehind))
		}
		b.claimed = nil
	}
	b.mu.Unlock()
	_ = b.step(ctx, nil) // as above
}

// passOn gives back to the queue what is not claimed and does not come after something unfinished in the bundle.
func (b *bundle) passOn(ctx context.Context) error {
	task := queue.Bundle{Run: string(b.claim.Run), Pipeline: b.loaded.spec.Name, Digest: b.claim.Digest, Queue: b.queue}
	b.mu.Lock()
	b.waiting = slices.DeleteFunc(b.waiting, func(a journal.Attempted) bool {
		free := b.depends(a.Stage, nil) == now
		if free {
			task.Items = append(task.Items, queue.Item(a))
		}
		return free
	})
	b.mu.Unlock()
	if len(task.Items) == 0 {
		return nil
	}
	return b.worker.Queue.PassOn(ctx, task)
}
