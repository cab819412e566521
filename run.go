package godags

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/tasks"
)

// RunOption is an option of [Run].
type RunOption interface{ applyRun(*runOptions) }

// SubmitOption is an option of [Client.Submit] and of [Run].
type SubmitOption interface {
	RunOption
	applySubmit(*submitOptions)
}

// WorkerOption is an option of [Run] and of [Open]. It concerns the execution of stages in this
// process.
type WorkerOption interface {
	RunOption
	ClientOption
}

type runOptions struct {
	submitOptions
	workerOptions
	redis string
	home  string
}

type submitOptions struct {
	id     string
	keep   time.Duration
	params map[string]any
}

type workerOptions struct {
	concurrency int
	grace       time.Duration
	logger      *slog.Logger
	middleware  []tasks.Middleware
	problems    []error // of options that were given nil
}

type runOption func(*runOptions)

func (f runOption) applyRun(o *runOptions) { f(o) }

type submitOption func(*submitOptions)

func (f submitOption) applyRun(o *runOptions)       { f(&o.submitOptions) }
func (f submitOption) applySubmit(o *submitOptions) { f(o) }

type workerOption func(*workerOptions)

func (f workerOption) applyRun(o *runOptions)       { f(&o.workerOptions) }
func (f workerOption) applyClient(o *clientOptions) { f(&o.workerOptions) }

// Redis keeps the run in the Redis of a URL: redis://, rediss://, unix:// or redis-sentinel://.
// Then other processes can see the run, and workers elsewhere can execute its stages.
//
// The key that signs the run is that of [Open].
func Redis(url string) RunOption { return runOption(func(o *runOptions) { o.redis = url }) }

// Home keeps the run in a private redis-server whose data is in the folder dir, so that later
// commands with GODAGS_HOME=dir can show it. Where no redis-server is installed, the Redis is
// inside the process, and the run ends with it.
//
// The key that signs the run is the environment variable GODAGS_KEY, or a file in dir.
func Home(dir string) RunOption { return runOption(func(o *runOptions) { o.home = dir }) }

// RunID sets the ID of the run: up to 100 letters, digits, '.', '_' and '-'. It begins with a
// letter or a digit, and is neither latest nor the name of a .yaml, .yml or .json file. The default
// is the name of the pipeline, the time and a few random letters.
//
// If the Redis already has a run of the same pipeline with this ID, [Run] follows that run, and
// takes it over if its coordinator dies: two processes that start the same run share it. The ID of
// a run with another pipeline or other parameters is an error.
func RunID(id string) SubmitOption { return submitOption(func(o *submitOptions) { o.id = id }) }

// Keep sets how long the run, with its values and logs, is kept after it finished. The default is 7
// days; 0 is forever.
func Keep(d time.Duration) SubmitOption {
	return submitOption(func(o *submitOptions) { o.keep = d })
}

// Concurrency sets how many stages are executed at once in this process: by the run, or by each
// worker of a client. The default is one per core. With 1, one stage is executed after the other.
//
// With 0, [Run] executes none: workers elsewhere on the same Redis must execute all stages.
func Concurrency(n int) WorkerOption {
	return workerOption(func(o *workerOptions) { o.concurrency = n })
}

// Grace sets how long running stages may continue after the context of [Run] or [Worker.Run] is
// done. The default is 10 seconds.
func Grace(d time.Duration) WorkerOption {
	return workerOption(func(o *workerOptions) { o.grace = d })
}

// Logger sets where godags logs what it does and what goes wrong, such as an unreachable Redis. The
// default is [slog.Default]. What stages print is not logged there: see [Log].
func Logger(l *slog.Logger) WorkerOption {
	return workerOption(func(o *workerOptions) {
		if o.logger = l; l == nil {
			o.problems = append(o.problems, errors.New("Logger(nil): it must not be nil"))
		}
	})
}

func (m Middleware) applyRun(o *runOptions)       { o.wrap(m) }
func (m Middleware) applyClient(o *clientOptions) { o.wrap(m) }

func (o *workerOptions) wrap(m Middleware) {
	if m == nil {
		o.problems = append(o.problems, errors.New("Middleware(nil): it must not be nil"))
		return
	}
	o.middleware = append(o.middleware, tasks.Middleware(m))
}

func defaultWorkerOptions() workerOptions {
	return workerOptions{concurrency: engine.DefaultConcurrency(), grace: 10 * time.Second, logger: slog.Default()}
}

// check returns what is wrong with the options.
func (o *workerOptions) check(leastConcurrency int) []error {
	problems := o.problems
	if o.concurrency < leastConcurrency {
		problems = append(problems, fmt.Errorf("Concurrency(%d): it must be at least %d", o.concurrency, leastConcurrency))
	}
	if o.grace < 0 {
		problems = append(problems, fmt.Errorf("Grace(%v): it must not be negative", o.grace))
	}
	return problems
}

// Run runs a pipeline in this process and waits until the run is finished. Each stage starts as
// soon as all its dependencies have succeeded.
//
// Everything happens in this process: unless [Redis] or [Home] say otherwise, Run uses no
// environment variable, file, network connection or child process. Such a run leaves nothing behind
// except its [Report].
//
// A run that failed or was cancelled has a report, and errors.As finds a [*RunError] in the error.
// When ctx is done the run is cancelled, unless another process coordinates it; the error then
// wraps the cause of ctx as well.
//
// Parameters that do not fit give a [*ParamError]. If the run that has the ID has another pipeline
// or other parameters, the error is [ErrRunExists]. Other errors say that the pipeline or an option
// is wrong, or that Redis did not answer.
func Run(ctx context.Context, p *Pipeline, opts ...RunOption) (*Report, error) {
	o := runOptions{submitOptions: defaultSubmitOptions(), workerOptions: defaultWorkerOptions()}
	problems := apply(opts, func(option RunOption) { option.applyRun(&o) })
	if err := errors.Join(append(problems, o.check()...)...); err != nil {
		return nil, fmt.Errorf("godags.Run: %w", err)
	}

	definition, err := prepare(p, o.submitOptions)
	if err != nil {
		return nil, err
	}

	failures := newFailures()
	registry, caches, err := engine.Collect(definition)
	if err != nil {
		return nil, err
	}
	// First and so outermost: it sees the errors that the middleware returns, as the journal does.
	registry.Use(failures.watch)
	registry.Use(o.middleware...)

	session, err := engine.Open(ctx, engine.Config{
		InProcess: o.redis == "" && o.home == "",
		Redis:     o.redis,
		Home:      o.home,
		Registry:  registry,
		Caches:    caches,
		Logger:    o.logger,
	})
	if err != nil {
		return nil, err
	}

	// The session is closed last: it holds the Redis that the report is read from.
	report, err := run(ctx, session, definition, o, failures)
	return report, errors.Join(err, session.Close())
}

// check returns what is wrong with the options.
func (o *runOptions) check() []error {
	problems := o.workerOptions.check(0)

	// No other process can reach a Redis inside this one, so the run would wait for ever.
	if o.concurrency == 0 && o.redis == "" {
		problems = append(problems, errors.New(
			"Concurrency(0) leaves all stages to workers elsewhere, which need a Redis that they share: name it with Redis"))
	}
	if o.redis != "" && o.home != "" {
		problems = append(problems, errors.New("Redis and Home exclude each other: both say where the run is kept"))
	}
	return append(problems, o.submitOptions.check()...)
}

func defaultSubmitOptions() submitOptions { return submitOptions{keep: engine.DefaultKeep} }

// check returns what is wrong with the options.
func (o *submitOptions) check() (problems []error) {
	if o.keep < 0 {
		problems = append(problems, fmt.Errorf("Keep(%v): it must not be negative; 0 is forever", o.keep))
	}
	if o.id != "" {
		if _, err := journal.ChooseRunID(o.id); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// prepare returns the pipeline with the parameters of the run.
func prepare(p *Pipeline, o submitOptions) (engine.Pipeline, error) {
	if p == nil {
		return engine.Pipeline{}, errors.New("the pipeline is nil")
	}

	definition, err := p.define()
	if err != nil {
		return definition, err
	}

	definition.Spec, err = bind(definition.Spec, o.params)
	return definition, err
}

func run(ctx context.Context, session *engine.Session, p engine.Pipeline, o runOptions, f *failures) (*Report, error) {
	run, err := session.Run(ctx, engine.RunOptions{
		ID:          journal.RunID(o.id),
		Spec:        p.Spec,
		Concurrency: o.concurrency,
		Grace:       o.grace,
		Keep:        o.keep,
	})
	if run == nil || !run.DAG.Finished() {
		return nil, errors.Join(err, context.Cause(ctx))
	}

	// A cancelled run has a report too, so its outputs are read although ctx is done.
	report, reportErr := newReport(context.WithoutCancel(ctx), session, run)
	f.explain(reportErr)
	return report, errors.Join(reportErr, err, context.Cause(ctx))
}
