package execution

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/retry"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/internal/worker/delivery"
	"github.com/godags/godags/tasks"
)

// Attempt is one attempt of a stage in this worker.
type Attempt struct {
	journal.AttemptID
	batch *Batch
	begin time.Time

	log   *tasks.LogBuffer
	saved int64       // offset up to which the log was saved
	mask  *tasks.Mask // of the stage's secrets; nil for none

	stopped context.Context // done, with its cause, once the attempt was stopped or has ended
	stop    context.CancelCauseFunc
	revoked chan struct{} // closed once its outcome is not wanted
	revoke  sync.Once

	before *journal.Outcome    // of the attempt before it in a chain; nil if it is not fused
	chain  []journal.AttemptID // the attempts before it in a chain, the first one first
	// succeeded has the attempts of its dependencies that succeeded; nil until [inputs.attempts] is
	// called.
	succeeded []dag.Attempt
}

// ErrRevoked is why an attempt is stopped that does not hold, or never got, the right to be
// executed.
var ErrRevoked = errors.New("the run does not wait for it any more")

// Name returns the name of the stage or instance.
func (a *Attempt) Name() string { return a.batch.Name(a.Stage) }

// Begin returns when the attempt began.
func (a *Attempt) Begin() time.Time { return a.begin }

// Stop tells the handler to end, and why. The first cause counts.
func (a *Attempt) Stop(cause error) { a.stop(cause) }

// Done is closed when the attempt is stopped or has ended.
func (a *Attempt) Done() <-chan struct{} { return a.stopped.Done() }

// Revoke stops the attempt at once: its outcome is not wanted. Commands are killed without a grace
// period, since another attempt may be about to start.
func (a *Attempt) Revoke() {
	a.revoke.Do(func() { close(a.revoked) })
	a.stop(ErrRevoked)
}

func (a *Attempt) isRevoked() bool {
	select {
	case <-a.revoked:
		return true
	default:
		return false
	}
}

// SaveLog saves what the attempt has printed since the last call, so that it can be read while the
// attempt is running. Only one goroutine may call it.
func (a *Attempt) SaveLog(ctx context.Context) error {
	part := a.log.Since(a.saved)
	if part.Empty() {
		return nil
	}

	claim := a.batch.Claim
	if _, err := a.batch.Journal.SaveLog(ctx, claim.Run, claim.Token, a.AttemptID, part); err != nil {
		return err
	}

	// Also if the claim is void: the attempt has ended, or the next control tells that it is
	// revoked. Neither needs the text again.
	a.saved = part.End()
	return nil
}

// guard returns the condition under which the attempt may store values. Of a chain one attempt is
// claimed at a time: this one, or one before it whose outcome is not recorded yet.
func (a *Attempt) guard() guard.Guard {
	attempts := append([]journal.AttemptID{a.AttemptID}, a.chain...)
	return a.batch.Journal.Guard(a.batch.Claim.Run, a.batch.Claim.Token, attempts...)
}

func (a *Attempt) graphStage() dag.StageID { return a.batch.graphStage(a.Stage) }
func (a *Attempt) kind() *spec.Kind        { return a.batch.pipeline.spec.Kind(a.graphStage()) }

// gathers reports whether the attempt makes one list of the outputs of the stage's instances, or of
// the cells of its matrix.
func (a *Attempt) gathers() bool {
	return a.kind().Gather || a.kind().ForEach != "" && a.graphStage() == a.Stage
}

// result is what an attempt that did not fail leaves.
type result struct {
	output  []byte         // to be recorded; nil for none
	digest  journal.Digest // of the output
	count   int            // of the elements of the output, if others have instances for them
	skipped bool           // by the stage's own condition
}

// Execute executes the attempt and returns its outcome; nil if the outcome is not wanted.
func (a *Attempt) Execute() *journal.Outcome {
	defer a.stop(nil)

	r, err := a.run(a.stopped)
	took := time.Since(a.begin)

	o := a.outcome(r, err)
	if o == nil {
		a.batch.Logger.Info("attempt given up", "run", a.batch.Claim.Run,
			"stage", a.Name(), "attempt", a.Attempt, "why", ErrRevoked)
		return nil
	}

	o.Record.Duration = took

	// Only from successes: a failure may be far shorter than the work of its kind.
	if o.Record.Type == journal.StageSucceeded && !a.gathers() {
		// A gathering attempt calls no handler, so its time says nothing about the kind.
		a.batch.pipeline.durations.Learn(a.graphStage(), took)
	}
	return o
}

// timeoutError says that an attempt took longer than its stage allows.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string { return "timed out after " + e.limit.String() }

// run executes the attempt within its time limit.
func (a *Attempt) run(ctx context.Context) (result, error) {
	limit := a.kind().Timeout
	if limit == 0 {
		return a.perform(ctx)
	}

	// The cause tells this limit from a stop of the attempt, and from a deadline of the handler.
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &timeoutError{limit})
	defer cancel()

	r, err := a.perform(ctx)

	var late *timeoutError
	// A handler that ignores its context has failed too, even if it returns a result in the end: a
	// limit holds for all handlers alike. An error of the worker or of Redis remains one.
	if errors.As(context.Cause(ctx), &late) && fault.OwnerOf(err) == fault.Stage {
		return result{}, late
	}

	return r, err
}

// perform does what the stage is for, and stores its output.
func (a *Attempt) perform(ctx context.Context) (r result, err error) {
	b := a.batch
	store, err := b.Stores.For(b.pipeline.spec, a.graphStage())
	if err != nil {
		return r, err
	}

	var parts journal.Digest
	in := inputs{a}
	v := &stageValues{inputs: in, store: store}
	if a.gathers() {
		v.output, parts, err = in.gather(ctx)
	} else {
		r.skipped, err = a.handle(ctx, v)
	}

	if err != nil || r.skipped {
		return r, err
	}

	// Counted by the worker that has the output, which the coordinator would have to fetch.
	if commands, isList := b.pipeline.lists[a.Stage]; isList {
		if r.count, err = in.count(ctx, v.output, commands); err != nil {
			return r, err
		}
	}

	if v.output == nil {
		r.output = a.signed(nil)
		return r, nil
	}

	// The value is stored before the report, under a name that has the attempt in it. So an attempt
	// that is replaced cannot change a value that counts.
	err = a.retry(ctx, func() (err error) {
		r.output, r.digest, err = b.Stores.Store(ctx, b.pipeline.spec, values.Output{
			Run: b.Claim.Run, Stage: a.graphStage(), Value: v.output, Guard: a.guard(),
			Name: fmt.Sprintf("out/%s/%d-%x", a.valueName(), a.Attempt, b.Claim.Token),
		})
		return err
	})

	if errors.Is(err, cache.ErrTooLarge) {
		err = tasks.NoRetry(err) // another attempt would leave as much
	}
	if parts != (journal.Digest{}) {
		// Of the contents. The digest of the stored list of parts would say nothing about them.
		r.digest = parts
	}
	if err == nil {
		r.output = a.signed(r.output)
	}
	return r, err
}

// valueName is the name of the attempt's output in a cache. After a retry of the run, new instances
// have the names of those that they replace, so the name has the ID of the instance.
func (a *Attempt) valueName() string {
	if a.graphStage() == a.Stage {
		return a.Name()
	}
	return fmt.Sprintf("%s@%d", a.Name(), a.Stage)
}

// signed returns the record for the output of the attempt; nil if nothing is recorded.
func (a *Attempt) signed(stored []byte) []byte {
	b := a.batch
	g := a.graphStage()
	if stored == nil {
		// Many stages have no output, so an absence is recorded only where a dependent notices it.
		// The stage that gathers notices it for each instance.
		if g == a.Stage && !b.pipeline.signsAbsence(a.Stage) {
			return nil
		}
		stored = values.None()
	}

	producer := values.Producer{Stage: a.Stage, Of: g, Index: b.items[a.Stage].Index}
	return values.Sign(b.Key, b.origin, producer, a.Attempt, stored)
}

// outcome returns how the attempt ended; nil if the outcome is not wanted.
func (a *Attempt) outcome(r result, err error) *journal.Outcome {
	x := a.batch.Executor
	cause := context.Cause(a.stopped)
	o := &journal.Outcome{Record: journal.Record{Type: journal.StageSucceeded, Stage: a.Stage, Attempt: a.Attempt}}
	switch {
	case a.isRevoked():
		// First: Redis would refuse any report of it.
		return nil
	case r.skipped:
		o.Record.Type = journal.StageSkipped
		o.Record.Cause = a.Stage
	case err == nil:
		// A handler that succeeds although it was told to stop has succeeded.
		o.Output = r.output
		o.Record.Digest = r.digest
		o.Record.Count = uint32(r.count)
		x.Health.Executed()
	case cause != nil:
		// The error is most likely what the handler makes of its context, so it is not a failure.
		*o = delivery.Stopped(a.AttemptID, cause)
	case x.owner(err) != fault.Stage:
		// Recorded as lost, so that it uses up no retry of the stage.
		*o = delivery.Stopped(a.AttemptID, errors.New(a.mask.String(err.Error())))
	default:
		o.Record.Type = journal.StageFailed
		o.Record.Text = a.mask.String(err.Error())
		o.Record.Fatal = errors.Is(err, tasks.ErrNoRetry)
		x.failed.Add(1)
	}

	x.executed.Add(1)

	if a.log.Len() > 0 {
		o.Record.Note = a.log.LastLine()
		o.Log = a.log.Text()
	}
	return o
}

// A stage that waits for values says so after warnAfter, and then every warnEvery.
const (
	warnAfter = time.Second
	warnEvery = time.Minute
)

// retry reads or writes values, and repeats that while Redis, or another store, is unavailable: the
// work of the stage stays good. There is no limit but those of the attempt. A worker that cannot
// reach Redis soon stops its attempts, and other workers execute them.
func (a *Attempt) retry(ctx context.Context, call func() error) error {
	// The first warning is due after warnAfter, so that a short outage logs nothing.
	begin := time.Now()
	warned := begin.Add(warnAfter - warnEvery)
	retried := false

	err := retry.Do(ctx, retry.Policy{
		Backoff: retry.Redis,
		Final:   func(err error) bool { return !fault.Unavailable(err) },
		Failed: func(err error) {
			retried = true
			if now := time.Now(); now.Sub(warned) >= warnEvery {
				warned = now
				a.batch.Logger.Warn("cannot reach values, will try again", "run", a.batch.Claim.Run, "stage", a.Name(),
					"for", now.Sub(begin).Round(time.Second), "error", err)
			}
		},
	}, call)

	switch {
	case errors.Is(err, guard.ErrRefused):
		// The claim is void. The poll after the next heartbeat would say so too, but half a second
		// later.
		a.batch.delivery.Revoke(a.AttemptID)
	case retried && fault.Unavailable(err):
		// The attempt was stopped while it waited. An error of the first call is the stage's, such
		// as its own time-out.
		return fmt.Errorf("%w: %w", fault.ErrInfrastructure, err)
	}
	return err
}
