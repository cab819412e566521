package godags

import (
	"context"
	"fmt"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// Option sets something of a stage. Given to [New], it is the default of all stages of the
// pipeline. [RunTimeout], [OnFailureStop] and [DeclareParam] concern a run as a whole: they are for
// [New] only.
type Option func(*options)

type options struct {
	cache  cache.Cache // nil for the run's
	codec  cache.Codec
	queue  string
	policy spec.Policy
	when   func(context.Context) (bool, error)

	pipeline  *Pipeline // while New applies the options, else nil
	misplaced []string  // names of options that are for New only
	absent    []string  // names of options that were given nil
}

// Values chooses where a stage's output, and what it stores with [Put], live: [cache.Redis],
// [cache.Disk], [cache.Memory], or your own. The default is the Redis of the run. Stages that
// exchange values by key must use the same cache. A cache in memory is seen by one process only.
func Values(c cache.Cache) Option { return func(o *options) { o.cache = c } }

// Codec chooses how a stage's values become bytes: [cache.JSON] (the default), [cache.Gob],
// [cache.Raw], or your own. A pipeline is not valid if the codec cannot carry the type of an
// output, such as a function, or a struct without exported fields in JSON.
func Codec(c cache.Codec) Option {
	return func(o *options) {
		if c == nil {
			o.absent = append(o.absent, "Codec")
			return
		}
		o.codec = c
	}
}

// Queue sends a stage to workers that listen to the named queue, such as "gpu". The default is
// "default". The name has up to 100 letters, digits, '.', '_' and '-'.
func Queue(name string) Option { return func(o *options) { o.queue = name } }

// Retries sets how many further attempts a stage gets after one that failed or took too long. The
// default is 0. An attempt whose worker was lost is repeated anyway, and does not count. See
// [Backoff] and [NoRetry].
func Retries(n int) Option { return func(o *options) { o.policy.Retries = n } }

// Backoff sets how long a stage waits for a further attempt: initial after the first failure,
// factor times as long after each further one, at most max; longer or shorter by up to the fraction
// jitter of it. The default is Backoff(time.Second, 2, 5*time.Minute, 0.1).
func Backoff(initial time.Duration, factor float64, max time.Duration, jitter float64) Option {
	return func(o *options) {
		o.policy.Backoff = spec.Backoff{Initial: initial, Factor: factor, Max: max, Jitter: jitter}
	}
}

// Timeout sets how long an attempt of a stage may take: then its context is done, and it has
// failed, whatever it returns. It is not over before its function has returned. The default, 0, is
// any time. The least is 1 ms.
func Timeout(d time.Duration) Option { return func(o *options) { o.policy.Timeout = d } }

// Priority decides between stages that are ready: those with the highest go first. The default is
// 0.
func Priority(n int) Option { return func(o *options) { o.policy.Priority = n } }

// What must have become of the stages that a stage comes after, for [Trigger].
const (
	AllSuccess = dag.AllSuccess // all have succeeded; the default
	// all have come to an end, whichever: for cleaning up, also when the run is cancelled
	AllDone    = dag.AllDone
	AnySuccess = dag.AnySuccess // one has succeeded, whatever becomes of the others
	AnyFailed  = dag.AnyFailed  // one has failed, or was skipped because of a failure
)

// Trigger sets what must have become of the stages that a stage comes after: [AllSuccess],
// [AllDone], [AnySuccess] or [AnyFailed]. A stage for which it can no longer be is skipped. With
// any but AllSuccess, an input that does not exist is the zero value of its type.
func Trigger(t dag.Trigger) Option { return func(o *options) { o.policy.Trigger = t } }

// When makes a stage depend on a condition, such as "params.train && outputs.split.rows > 100". If
// it is false when the stage could start, the stage is skipped. Beside params and the outputs of
// the stages that it comes after there are item and index in [Map]. It is checked by [Start] and
// [Main], before anything runs.
func When(condition string) Option { return func(o *options) { o.policy.When = condition } }

// WhenFunc is [When] with a function, which gets the context of the stage. Its error fails the
// attempt.
func WhenFunc(f func(context.Context) (bool, error)) Option {
	return func(o *options) {
		if o.when = f; f == nil {
			o.absent = append(o.absent, "WhenFunc")
		}
	}
}

// Secrets names what a stage may know. The worker must have the secret NAME as GODAGS_SECRET_NAME
// in its environment, else the stage fails. [Secret] returns it. In logs and errors it is replaced
// by ***.
func Secrets(names ...string) Option { return func(o *options) { o.policy.Secrets = names } }

// MaxParallel sets how many instances of a stage made by [Map] are executed at once. The default,
// 0, is any number.
func MaxParallel(n int) Option { return func(o *options) { o.policy.MaxParallel = n } }

// RunTimeout sets how long a run may take; then it is cancelled. The default, 0, is any time. The
// least is 1 ms.
func RunTimeout(d time.Duration) Option {
	return ofPipeline("RunTimeout", func(p *Pipeline) { p.settings.Timeout = d })
}

// OnFailureStop makes the first failure stop the run: nothing more is begun. By default all goes on
// that does not depend on what failed.
func OnFailureStop() Option {
	return ofPipeline("OnFailureStop", func(p *Pipeline) { p.settings.Stop = true })
}

func ofPipeline(name string, set func(*Pipeline)) Option {
	return func(o *options) {
		if o.pipeline == nil {
			o.misplaced = append(o.misplaced, name)
			return
		}
		set(o.pipeline)
	}
}

// apply applies options, and returns what cannot be applied.
func (o *options) apply(list []Option) (problems []error) {
	for i, option := range list {
		if option == nil {
			problems = append(problems, fmt.Errorf("option %d is nil", i+1))
			continue
		}
		option(o)
	}

	for _, name := range o.absent {
		problems = append(problems, fmt.Errorf("%s(nil): it takes one that is not nil", name))
	}

	o.absent = nil
	return problems
}

const (
	leastTime = time.Millisecond
	most      = 1_000_000 // instances at once, priority
	maxFactor = 1000
)

// check returns what is wrong with the options of a stage.
func (o *options) check() (problems []error) {
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}

	for _, name := range o.misplaced {
		problem(true, "%s is an option of New, not of a stage", name)
	}

	if err := spec.CheckQueue(o.queue); o.queue != "" && err != nil {
		problems = append(problems, err)
	}

	if _, err := o.policy.Trigger.MarshalText(); err != nil {
		problems = append(problems, err)
	}

	problem(o.policy.Retries < 0 || o.policy.Retries > dag.MaxRetries, "Retries(%d): it must be from 0 to %d", o.policy.Retries, dag.MaxRetries)
	problem(max(o.policy.Priority, -o.policy.Priority) > most, "Priority(%d): it must be from %d to %d", o.policy.Priority, -most, most)
	problem(o.policy.MaxParallel < 0 || o.policy.MaxParallel > most, "MaxParallel(%d): it must be from 0 to %d", o.policy.MaxParallel, most)
	problem(badTime(o.policy.Timeout), "Timeout(%v): it must be 0, for any time, or at least %v", o.policy.Timeout, leastTime)
	if b := o.policy.Backoff; b != (spec.Backoff{}) {
		problem(b.Initial < 0 || b.Max < b.Initial || !(b.Factor >= 1 && b.Factor <= maxFactor) || !(b.Jitter >= 0 && b.Jitter <= 1),
			"Backoff(%v, %v, %v, %v): it takes initial, factor from 1 to %d, max not less than initial, jitter from 0 to 1", b.Initial, b.Factor, b.Max, b.Jitter, maxFactor)
	}

	problem(o.policy.When != "" && o.when != nil, "When and WhenFunc exclude each other")
	for _, name := range o.policy.Secrets {
		if err := spec.CheckVariable(name); err != nil {
			problem(true, "Secrets: %w", err)
		}
	}

	return problems
}

func badTime(d time.Duration) bool { return d != 0 && d < leastTime }
