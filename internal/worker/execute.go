package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// execution is one attempt of a stage in this worker.
type execution struct {
	journal.AttemptID
	bundle *bundle
	log    *tasks.LogBuffer
	mask   *tasks.Mask // of the stage's secrets; nil for none
	saved  int64       // how much of the log was written when it was last saved
	begin  time.Time
	stop   context.CancelCauseFunc
	cause  context.Context // done, with its cause, once the attempt is stopped

	succeeded []dag.Attempt // see [execution.attempts]

	// of the stage before it in a chain, not recorded when this one begins; nil if it is not fused
	before *journal.Outcome
	chain  []journal.AttemptID // those before it in a chain, the first one first

	unclaimed bool // its claim has not been answered yet

	// closed, under the bundle's lock, when nobody wants to know any more how it ends
	revoked chan struct{}
}

func newExecution(b *bundle, a journal.AttemptID) *execution {
	e := &execution{AttemptID: a, bundle: b, log: tasks.NewLogBuffer(tasks.DefaultLogLimit), begin: time.Now(), revoked: make(chan struct{})}
	e.cause, e.stop = context.WithCancelCause(context.Background())
	return e
}

// revoke stops the attempt at once: it does not hold, or never got, the right to be executed.
func (e *execution) revoke() {
	if !e.isRevoked() {
		close(e.revoked)
	}
	e.stop(errRevoked)
}

// guard returns what holds while the attempt counts. Of a chain one attempt is claimed at a time:
// this one, or one before it whose end is not recorded yet.
func (e *execution) guard() guard.Guard {
	return e.bundle.worker.Journal.Guard(e.bundle.claim.Run, e.bundle.claim.Token, append([]journal.AttemptID{e.AttemptID}, e.chain...)...)
}

func (e *execution) isRevoked() bool {
	select {
	case <-e.revoked:
		return true
	default:
		return false
	}
}

// within waits until the attempt has taken the given time. It is false if the attempt ends before
// that.
func (e *execution) within(d time.Duration) bool {
	t := time.NewTimer(time.Until(e.begin.Add(d)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.cause.Done():
		return false
	}
}

// result is what has become of an attempt that did not fail.
type result struct {
	output  []byte // to be recorded; nil for none
	count   int    // of the elements that the output has, if others have instances for them
	skipped bool   // by the stage's own condition
}

// execute runs one attempt and returns how it ended; nil if nobody wants to know.
func (w *Worker) execute(e *execution) *journal.Outcome {
	defer e.stop(nil)
	r, err := w.run(e.cause, e)
	took := time.Since(e.begin)
	o := w.outcome(e, r, err)
	if o == nil {
		w.Logger.Info("attempt given up", "run", e.bundle.claim.Run, "stage", e.name(), "attempt", e.Attempt, "why", errRevoked)
		return nil
	}

	o.Record.Duration = took
	return o
}

func (e *execution) graphStage() dag.StageID { return e.bundle.graphStage(e.Stage) }
func (e *execution) name() string            { return e.bundle.name(e.Stage) }
func (e *execution) kind() *spec.Kind        { return e.bundle.loaded.spec.Kind(e.graphStage()) }

// gathers reports whether the attempt makes one list of what the stage's instances, or the cells of
// its matrix, have done.
func (e *execution) gathers() bool {
	return e.kind().Gather || e.kind().ForEach != "" && e.graphStage() == e.Stage
}

// timeoutError says that an attempt took longer than its stage allows.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string { return "timed out after " + e.limit.String() }

// run executes the attempt within its time. One that took longer has failed, even if it did not
// stop and came to a good end.
func (w *Worker) run(ctx context.Context, e *execution) (result, error) {
	limit := e.kind().Timeout
	if limit == 0 {
		return w.attempt(ctx, e)
	}

	ctx, cancel := context.WithTimeoutCause(ctx, limit, &timeoutError{limit})
	defer cancel()
	r, err := w.attempt(ctx, e)
	var late *timeoutError
	if errors.As(context.Cause(ctx), &late) && fault.OwnerOf(err) == fault.Stage {
		return result{}, late
	}

	return r, err
}

// attempt does what the stage is for, and seals its output.
func (w *Worker) attempt(ctx context.Context, e *execution) (r result, err error) {
	store, err := w.Stores.For(e.bundle.loaded.spec, e.graphStage())
	if err != nil {
		return r, err
	}

	x := &exchange{worker: w, execution: e, store: store}
	if e.gathers() {
		err = x.gather(ctx)
	} else {
		r.skipped, err = w.perform(ctx, e, x)
	}

	if err != nil || r.skipped {
		return r, err
	}

	if commands, isList := e.bundle.loaded.lists[e.Stage]; isList {
		if r.count, err = w.count(ctx, e, x.output, commands); err != nil {
			return r, err
		}
	}

	if x.output == nil {
		r.output = e.recordOf(nil)
		return r, nil
	}

	err = e.steadily(ctx, func() (err error) {
		r.output, err = w.Stores.Seal(ctx, e.bundle.loaded.spec, values.Output{Run: e.bundle.claim.Run, Stage: e.graphStage(),
			Name: fmt.Sprintf("out/%s/%d-%x", e.valueName(), e.Attempt, e.bundle.claim.Token), Value: x.output, Guard: e.guard()})
		return err
	})

	if errors.Is(err, cache.ErrTooLarge) {
		err = tasks.NoRetry(err) // another attempt would leave as much
	}
	if err == nil {
		r.output = e.recordOf(r.output)
	}
	return r, err
}

// perform calls the handler, unless the stage's condition is against it.
func (w *Worker) perform(ctx context.Context, e *execution, x *exchange) (skipped bool, err error) {
	sp := e.bundle.loaded.spec
	kind := e.kind()
	item := kind.Item
	index := kind.Index
	if i := e.bundle.items[e.Stage]; e.graphStage() != e.Stage {
		if item, err = w.element(ctx, e, i); err != nil {
			return false, err
		}
		index = i.Index
	}

	if kind.When != "" {
		if holds, err := x.condition(ctx, item, index); !holds || err != nil {
			return err == nil, err
		}
	}

	if kind.Task == "" {
		return false, nil // a join point
	}

	handler, err := w.Registry.Lookup(kind.Task)
	if err != nil {
		return false, err
	}

	secrets, err := e.unseal(kind.Secrets)
	if err != nil {
		return false, err
	}

	err = tasks.Run(ctx, handler, &tasks.Stage{
		Run: string(e.bundle.claim.Run), Pipeline: sp.Name, Name: e.name(), Attempt: int(e.Attempt), Worker: w.Info.ID,
		Params: kind.Params, After: names(sp, e.graphStage()), Instance: tasks.Instance{Item: item, Index: index}, Log: e.log, Values: x,
		RunParams: paramsOf(sp), Env: sp.Env, Secrets: secrets,
		Revoked: e.revoked, User: w.User,
	})

	if errors.Is(err, tasks.ErrSkip) {
		return true, nil
	}

	return false, err
}

func names(sp *spec.Spec, id dag.StageID) []string {
	deps := sp.Graph.Deps(id)
	list := make([]string, len(deps))
	for i, d := range deps {
		list[i] = sp.Graph.Name(d)
	}
	return list
}

func paramsOf(sp *spec.Spec) map[string]json.RawMessage {
	params := make(map[string]json.RawMessage, len(sp.Params))
	for _, p := range sp.Params {
		params[p.Name] = p.Value
	}
	return params
}

// secretPrefix is what the names of secrets begin with in the environment of a worker.
const secretPrefix = "GODAGS_SECRET_"

// unseal returns the secrets that the stage may know, and sees to it that they do not appear in
// what is said of the attempt.
func (e *execution) unseal(names []string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}

	secrets := make(map[string]string, len(names))
	for _, name := range names {
		value, ok := os.LookupEnv(secretPrefix + name)
		if !ok {
			return nil, tasks.NoRetry(fmt.Errorf("secret %s: the worker has no variable %s%s: set it where the worker is started", name, secretPrefix, name))
		}
		secrets[name] = value
	}

	mask, err := tasks.NewMask(secrets)
	if err != nil {
		return nil, tasks.NoRetry(err)
	}

	e.mask = mask
	e.log.Hide(mask)
	return secrets, nil
}

// outcome says how an attempt ended; nil if nobody wants to know.
func (w *Worker) outcome(e *execution, r result, err error) *journal.Outcome {
	cause := context.Cause(e.cause)
	o := &journal.Outcome{Record: journal.Record{Type: journal.StageSucceeded, Stage: e.Stage, Attempt: e.Attempt}}
	switch {
	case e.isRevoked():
		return nil
	case r.skipped:
		o.Record.Type = journal.StageSkipped
		o.Record.Root = e.Stage
	case err == nil:
		o.Output = r.output
		o.Record.Count = uint32(r.count)
		w.health.executed()
	case cause != nil:
		o = stopped(e.AttemptID, cause)
	case w.owner(err) != fault.Stage:
		o = stopped(e.AttemptID, errors.New(e.mask.String(err.Error())))
	default:
		o.Record.Type, o.Record.Text, o.Record.Fatal = journal.StageFailed, e.mask.String(err.Error()), errors.Is(err, tasks.ErrNoRetry)
		w.failed.Add(1)
	}

	w.executed.Add(1)
	if e.log.Len() > 0 {
		o.Record.Note, o.Log = e.log.LastLine(), e.log.Bytes()
	}
	return o
}

// owner returns whose fault it is that an attempt has failed. If it is the worker's, the worker
// executes nothing until it can.
func (w *Worker) owner(err error) fault.Owner {
	owner := fault.OwnerOf(err)
	if _, exited := errors.AsType[*tasks.ExitError](err); owner == fault.Stage && (exited || fault.Exhausted(err)) {
		// What runs inside the stage may have met first what every stage would meet, such as a disk
		// that is full. A stage that has used up something itself has given it back by now.
		if lack := w.check(); lack != nil {
			owner = fault.Worker
			err = lack
		}
	}

	if owner == fault.Worker {
		w.health.fail(err)
	}
	return owner
}

// stopped is how an attempt ends that was stopped, or not even begun, for the given reason.
func stopped(a journal.AttemptID, cause error) *journal.Outcome {
	r := journal.Record{Type: journal.StageLost, Stage: a.Stage, Attempt: a.Attempt, Text: cause.Error()}
	if errors.Is(cause, errCancelled) {
		r.Type = journal.StageCancelled
	}
	return &journal.Outcome{Record: r}
}

const (
	firstDelay = 50 * time.Millisecond
	lastDelay  = time.Second
)

// insist writes to the journal and tries again while Redis cannot be reached. Only a worker that
// was told to stop at once gives up: its attempts are then lost with it.
func (w *Worker) insist(what string, run journal.RunID, write func() error) error {
	for delay := firstDelay; ; delay = min(lastDelay, 2*delay) {
		err := write()
		if err == nil || errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrDigest) || errors.Is(err, journal.ErrTruncated) {
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
