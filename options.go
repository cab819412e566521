package godags

import (
	"context"
	"fmt"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// PipelineOption is an option of [New]: [RunTimeout], [OnFailureStop], [Middleware], or any
// [Option].
type PipelineOption interface{ applyPipeline(*Pipeline) }

// MapOption is an option of [Map] and [MapWith]. Every [StageOption] is one.
type MapOption interface{ applyStage(*Stage) }

// StageOption is an option of one stage: of [Pipeline.Do], [Pipeline.Command], [Produce], [Then],
// [Sink], [Join], [Join3], [Collect], [Map] and [MapWith].
type StageOption interface {
	MapOption
	suitsEveryStage()
}

// Option is an option of one stage. [New] takes it as well, as the default of all stages. Options
// are [Codec], [Priority], [Queue], [Retries], [Secrets], [Timeout], [Trigger], [Values], [When],
// [WhenFunc] and the type [Backoff].
type Option interface {
	StageOption
	PipelineOption
}

// options are what is set for one stage, or as the default of all.
type options struct {
	cache    cache.Cache // nil for the run's
	codec    cache.Codec
	queue    string
	policy   spec.Policy
	when     func(context.Context) (bool, error)
	problems []error // of options that were given nil
}

func (o *options) isNil(option string) {
	o.problems = append(o.problems, fmt.Errorf("%s(nil): it must not be nil", option))
}

// option is an [Option].
type option func(*options)

func (f option) applyPipeline(p *Pipeline) { f(&p.defaults) }
func (f option) applyStage(s *Stage)       { f(&s.options) }
func (option) suitsEveryStage()            {}

// stageOption is a [StageOption] that is no default.
type stageOption func(*Stage)

func (f stageOption) applyStage(s *Stage) { f(s) }
func (stageOption) suitsEveryStage()      {}

// mapOption is a [MapOption] that suits no other stage.
type mapOption func(*Stage)

func (f mapOption) applyStage(s *Stage) { f(s) }

// pipelineOption is a [PipelineOption] that is no default of stages.
type pipelineOption func(*Pipeline)

func (f pipelineOption) applyPipeline(p *Pipeline) { f(p) }

// After makes a stage start only when the given stages have succeeded. As an option it keeps the
// type of the stage:
//
//	rows := godags.Produce(p, "rows", load, godags.After(clean)) // an Output
//
// [Stage.After] does the same for a stage that exists already.
func After(dependencies ...Dependency) StageOption {
	return stageOption(func(s *Stage) { s.After(dependencies...) })
}

// Values chooses where the output of a stage and what it stores with [Put] live: [cache.Redis],
// [cache.Disk], [cache.Memory], or your own. The default is the Redis of the run. Stages that
// exchange values by key must use the same cache. Only one process can read a cache in memory.
func Values(c cache.Cache) Option { return option(func(o *options) { o.cache = c }) }

// Codec chooses how the values of a stage become bytes: [cache.JSON] (the default), [cache.Gob],
// [cache.Raw], or your own. A pipeline is invalid if the codec cannot carry the type of an output,
// such as a function, or in JSON a struct without exported fields.
func Codec(c cache.Codec) Option {
	return option(func(o *options) {
		if c == nil {
			// Reported with all other mistakes, since New and Do return no error.
			o.isNil("Codec")
			return
		}
		o.codec = c
	})
}

// Queue sends a stage to workers that listen on the named queue, such as "gpu". The default is
// "default". The name has up to 100 letters, digits, '.', '_' and '-'.
func Queue(name string) Option { return option(func(o *options) { o.queue = name }) }

// Retries sets how many further attempts a stage gets after an attempt failed or timed out. The
// default is 0. An attempt whose worker was lost is repeated anyway, and uses up no retry. See
// [Backoff] and [NoRetry].
func Retries(n int) Option { return option(func(o *options) { o.policy.Retries = n }) }

// Backoff is an [Option] that sets how long a stage waits before it is retried:
//
//	godags.Retries(5), godags.Backoff{Initial: 2 * time.Second, Max: time.Minute}
//
// A field that is 0 has its default.
type Backoff struct {
	Initial time.Duration // wait after the first failure; default: 1 s
	Factor  float64       // each wait is this many times the one before, 1 to 1000; default: 2
	Max     time.Duration // longest wait; default: 5 min, or Initial if that is longer
	// A wait is longer or shorter by up to this fraction at random, so that stages which failed
	// together are not retried together. At most 1; default: 0.1; negative: none.
	Jitter float64
}

func (b Backoff) applyPipeline(p *Pipeline) { b.set(&p.defaults) }
func (b Backoff) applyStage(s *Stage)       { b.set(&s.options) }
func (Backoff) suitsEveryStage()            {}

// set fills in the defaults, since the frozen form of a pipeline must not depend on the version
// that reads it.
func (b Backoff) set(o *options) {
	whole := spec.Backoff(b)

	if b.Initial == 0 {
		whole.Initial = spec.DefaultBackoff.Initial
	}
	if b.Factor == 0 {
		whole.Factor = spec.DefaultBackoff.Factor
	}
	if b.Max == 0 {
		// An initial wait above the default is meant, so it raises the maximum.
		whole.Max = max(spec.DefaultBackoff.Max, whole.Initial)
	}

	// Zero stands for the default, as in the other fields, so a negative value stands for none.
	switch {
	case b.Jitter == 0:
		whole.Jitter = spec.DefaultBackoff.Jitter
	case b.Jitter < 0:
		whole.Jitter = 0
	}

	o.policy.Backoff = whole
}

// Timeout limits the time of each attempt of a stage. After that time the context of the attempt is
// done, and the attempt fails, whatever its function returns. The attempt is not over before its
// function returns. The default, 0, is no limit. The least is 1 ms.
func Timeout(d time.Duration) Option { return option(func(o *options) { o.policy.Timeout = d }) }

// Priority decides between stages that are ready: those with the highest go first. The default is
// 0.
func Priority(n int) Option { return option(func(o *options) { o.policy.Priority = n }) }

// Outcomes of the dependencies that let a stage start, for [Trigger].
const (
	AllSuccess = dag.AllSuccess // all succeeded; the default
	// all finished, however: for cleaning up, also when the run is cancelled
	AllDone    = dag.AllDone
	AnySuccess = dag.AnySuccess // one succeeded, whatever happens to the others
	AnyFailed  = dag.AnyFailed  // one failed, or was skipped because of a failure
)

// Trigger sets which outcome of its dependencies lets a stage start: [AllSuccess], [AllDone],
// [AnySuccess] or [AnyFailed]. A stage is skipped when that outcome has become impossible. With any
// trigger but AllSuccess, an input that does not exist is the zero value of its type, or nil if it
// is [Optional].
func Trigger(t dag.Trigger) Option { return option(func(o *options) { o.policy.Trigger = t }) }

// When sets a condition, such as "params.train && outputs.split.rows > 100". If it is false when
// the stage could start, the stage is skipped. Its variables are params, the outputs of the
// dependencies and, in [Map], item and index. [Run] and [Main] check it before anything runs.
func When(condition string) Option { return option(func(o *options) { o.policy.When = condition }) }

// WhenFunc is [When] with a function, which gets the context of the stage. Its error fails the
// attempt.
func WhenFunc(f func(context.Context) (bool, error)) Option {
	return option(func(o *options) {
		if o.when = f; f == nil {
			o.isNil("WhenFunc")
		}
	})
}

// Secrets names the secrets that a stage may read with [Secret]. The environment of the worker must
// have each secret NAME as GODAGS_SECRET_NAME, or else the stage fails. Logs and errors show ***
// instead.
func Secrets(names ...string) Option {
	return option(func(o *options) { o.policy.Secrets = names })
}

// MaxParallel limits how many instances of a stage made by [Map] are executed at once. The default,
// 0, is no limit.
func MaxParallel(n int) MapOption {
	return mapOption(func(s *Stage) { s.policy.MaxParallel = n })
}

// RunTimeout limits the time of a run, which is then cancelled. The default, 0, is no limit. The
// least is 1 ms.
func RunTimeout(d time.Duration) PipelineOption {
	return pipelineOption(func(p *Pipeline) { p.settings.Timeout = d })
}

// OnFailureStop makes the first failure stop the run: no further stage starts. By default all
// stages that do not depend on the failed one are executed.
func OnFailureStop() PipelineOption {
	return pipelineOption(func(p *Pipeline) { p.settings.Stop = true })
}

// Middleware wraps the execution of stages, for example to measure or trace them. See
// [tasks.Middleware].
//
// As an option of [New] it wraps the stages of the pipeline. As an option of [Run] or [Open] it
// wraps everything that the process executes, outside the middleware of pipelines. The first option
// is the outermost.
type Middleware tasks.Middleware

func (m Middleware) applyPipeline(p *Pipeline) {
	if m == nil {
		p.defaults.isNil("Middleware")
		return
	}
	p.middleware = append(p.middleware, tasks.Middleware(m))
}

// apply calls one for each option, and returns errors for those that are nil.
func apply[O any](options []O, one func(O)) (problems []error) {
	for i, o := range options {
		if any(o) == nil {
			problems = append(problems, fmt.Errorf("option %d is nil", i+1))
			continue
		}
		one(o)
	}
	return problems
}

// mapOptions returns stage options as what they are too. Go converts an element, but no slice.
func mapOptions(opts []StageOption) []MapOption {
	list := make([]MapOption, len(opts))
	for i, o := range opts {
		list[i] = o
	}
	return list
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

	if err := spec.CheckQueue(o.queue); o.queue != "" && err != nil {
		problems = append(problems, err)
	}

	if _, err := o.policy.Trigger.MarshalText(); err != nil {
		problems = append(problems, err)
	}

	problem(o.policy.Retries < 0 || o.policy.Retries > dag.MaxRetries,
		"Retries(%d): it must be from 0 to %d", o.policy.Retries, dag.MaxRetries)
	problem(max(o.policy.Priority, -o.policy.Priority) > most,
		"Priority(%d): it must be from %d to %d", o.policy.Priority, -most, most)
	problem(o.policy.MaxParallel < 0 || o.policy.MaxParallel > most,
		"MaxParallel(%d): it must be from 0 to %d", o.policy.MaxParallel, most)
	problem(badTime(o.policy.Timeout),
		"Timeout(%v): it must be 0, for no limit, or at least %v", o.policy.Timeout, leastTime)

	if b := o.policy.Backoff; b != (spec.Backoff{}) {
		problem(b.Initial < 0, "Backoff: Initial is %v: it must not be negative", b.Initial)
		problem(b.Max < b.Initial, "Backoff: Max is %v: it must not be less than Initial, which is %v", b.Max, b.Initial)
		// NaN is not in any range, which is why the conditions are negated.
		problem(!(b.Factor >= 1 && b.Factor <= maxFactor),
			"Backoff: Factor is %v: it must be from 1 to %d", b.Factor, maxFactor)
		problem(!(b.Jitter >= 0 && b.Jitter <= 1),
			"Backoff: Jitter is %v: it must be at most 1; negative means none", b.Jitter)
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
