package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// claim is what the executions of one bundle have in common.
type claim struct {
	run   journal.RunID
	spec  *spec.Spec
	token journal.Token
}

// execution is one attempt of a stage in this worker.
type execution struct {
	journal.Attempted
	claim *claim
	log   *tasks.LogBuffer
	saved int64 // how much of the log was written when it was last saved
	stop  context.CancelCauseFunc
}

// handle executes what it is granted of a bundle. What it is not granted is, or was, somebody else's.
func (w *Worker) handle(ctx context.Context, b queue.Bundle) error {
	ctx = context.WithoutCancel(ctx) // Asynq ends it with its own lease; the claim is what counts
	c, granted, err := w.claim(ctx, b)
	switch {
	case errors.Is(err, journal.ErrGone), errors.Is(err, journal.ErrDigest):
		w.Logger.Warn("bundle refused", "run", b.Run, "error", err)
		return nil // it will never be anything else
	case err != nil:
		return err // deliver it again
	}
	for _, a := range granted {
		if err := w.execute(ctx, c, a); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) claim(ctx context.Context, b queue.Bundle) (*claim, []journal.Attempted, error) {
	run, err := journal.ParseRunID(b.Run)
	if err != nil {
		return nil, nil, errors.Join(journal.ErrGone, err)
	}
	sp, err := w.specs.get(ctx, run, b.Digest)
	if err != nil {
		return nil, nil, err
	}
	c := &claim{run, sp, journal.NewToken()}
	var attempts []journal.Attempted
	for _, item := range b.Items {
		if a := journal.Attempted(item); int(a.Stage) < sp.Graph.Len() && !slices.Contains(attempts, a) {
			attempts = append(attempts, a)
		}
	}
	// Tried again with the same token: a claim that took effect although its answer was lost must not be left behind.
	var yes []bool
	err = w.insist("claim", run, func() error {
		yes, err = w.Journal.Claim(ctx, run, b.Digest, w.Info.ID, c.token, attempts)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	granted := attempts[:0]
	for i, a := range attempts {
		if yes[i] {
			granted = append(granted, a)
		}
	}
	return c, granted, nil
}

// execute runs one attempt and reports it.
func (w *Worker) execute(ctx context.Context, c *claim, a journal.Attempted) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	e := &execution{Attempted: a, claim: c, log: tasks.NewLogBuffer(tasks.DefaultLogLimit), stop: stop}
	w.hold(e)
	defer w.release(e)
	begin := time.Now()
	output, err := w.run(ctx, e)
	outcome := w.outcome(ctx, e, output, err)
	if outcome == nil {
		w.Logger.Warn("attempt abandoned", "run", c.run, "stage", c.spec.Graph.Name(a.Stage), "attempt", a.Attempt, "error", context.Cause(ctx))
		return nil
	}
	outcome.Record.Duration = time.Since(begin)
	return w.report(context.WithoutCancel(ctx), c, outcome) // also when the attempt was stopped
}

func (w *Worker) hold(e *execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[e] = struct{}{}
}

func (w *Worker) release(e *execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, e)
	w.executed++
}

// run calls the handler and returns the output to record, if any.
func (w *Worker) run(ctx context.Context, e *execution) ([]byte, error) {
	sp, kind := e.claim.spec, e.claim.spec.Kind(e.Stage)
	if kind.Task == "" {
		return nil, nil // a join point
	}
	handler, err := w.Registry.Lookup(kind.Task)
	if err != nil {
		return nil, err
	}
	store, err := w.Stores.For(sp, e.Stage)
	if err != nil {
		return nil, err
	}
	exchange := &exchange{worker: w, execution: e, store: store}
	err = tasks.Run(ctx, handler, &tasks.Stage{
		Run: string(e.claim.run), Pipeline: sp.Name, Name: sp.Graph.Name(e.Stage), Attempt: int(e.Attempt), Worker: w.Info.ID,
		Params: kind.Params, After: names(sp, e.Stage), Log: e.log, Values: exchange,
	})
	if err != nil || exchange.output == nil {
		return nil, err
	}
	return w.Stores.Seal(ctx, sp, e.claim.run, e.Attempted, exchange.output)
}

func names(sp *spec.Spec, id dag.StageID) []string {
	deps := sp.Graph.Deps(id)
	list := make([]string, len(deps))
	for i, d := range deps {
		list[i] = sp.Graph.Name(d)
	}
	return list
}

// outcome says how the attempt ended; nil if there is nobody who wants to know.
func (w *Worker) outcome(ctx context.Context, e *execution, output []byte, err error) *journal.Outcome {
	r := journal.Record{Type: journal.StageSucceeded, Stage: e.Stage, Attempt: e.Attempt, Note: e.log.LastLine()}
	switch cause := context.Cause(ctx); {
	case err == nil:
	case errors.Is(cause, errRevoked):
		return nil
	case errors.Is(cause, errCancelled):
		r.Type, r.Text = journal.StageCancelled, cause.Error()
	case cause != nil: // the worker is at fault, not the stage
		r.Type, r.Text = journal.StageLost, cause.Error()
	default:
		r.Type, r.Text = journal.StageFailed, err.Error()
		w.mu.Lock()
		w.failed++
		w.mu.Unlock()
	}
	return &journal.Outcome{Record: r, Output: output, Log: e.log.Bytes()}
}

const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = time.Second
)

// report records an outcome. The work is done, so it is offered until Redis takes it.
func (w *Worker) report(ctx context.Context, c *claim, o *journal.Outcome) error {
	var accepted []bool
	err := w.insist("report", c.run, func() (err error) {
		accepted, err = w.Journal.Report(ctx, c.run, w.Info.ID, c.token, []journal.Outcome{*o})
		return err
	})
	switch {
	case errors.Is(err, journal.ErrGone):
		w.Logger.Warn("report refused", "error", err)
		return nil
	case err == nil && !accepted[0]:
		w.Logger.Warn("report refused: another attempt has replaced this one", "run", c.run,
			"stage", c.spec.Graph.Name(o.Record.Stage), "attempt", o.Record.Attempt)
	}
	return err
}

// insist writes to the journal and tries again while Redis cannot be reached. Only a worker that was told to stop at once
// gives up: its attempts are then lost with it.
func (w *Worker) insist(what string, run journal.RunID, write func() error) error {
	for delay := firstDelay; ; delay = min(lastDelay, 2*delay) {
		err := write()
		if err == nil || errors.Is(err, journal.ErrGone) || errors.Is(err, journal.ErrDigest) {
			return err
		}
		w.Logger.Warn("cannot "+what+", will try again", "run", run, "error", err)
		select {
		case <-time.After(delay):
		case <-w.abort.Done():
			return err
		}
	}
}
