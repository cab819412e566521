package godags

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// defaultGrace is how long stages have for stopping unless told otherwise.
const defaultGrace = 10 * time.Second

// RunOption sets how [Start] runs a pipeline.
type RunOption func(*runOptions)

type runOptions struct {
	cores  int
	redis  string
	id     string
	grace  time.Duration
	keep   time.Duration
	params map[string]any
}

// Cores sets how many stages run at once in this process. The default is one per core; 1 runs one
// stage after the other. 0 runs none here: workers elsewhere on the same Redis, given by [Redis],
// do all.
func Cores(n int) RunOption { return func(o *runOptions) { o.cores = n } }

// Redis sets the URL of the Redis that keeps the run (redis://, rediss://, unix:// or
// redis-sentinel://). The default is the environment variable REDIS_URL; without that it is a
// private redis-server in the folder .godags (or GODAGS_HOME) if one is installed, else a Redis
// inside the process.
func Redis(url string) RunOption { return func(o *runOptions) { o.redis = url } }

// RunID sets the id of the run: up to 100 letters, digits, '.', '_' and '-', beginning with a
// letter or a digit, but not latest or the name of a .yaml, .yml or .json file. The default is the
// pipeline's name, the time and a few random letters. A run of the same pipeline that has this id
// already is followed to its end, and gone on with if its coordinator dies: two processes that
// start the same run share it. The ID of a run with another pipeline or other parameters is an
// error.
func RunID(id string) RunOption { return func(o *runOptions) { o.id = id } }

// Grace sets how long stages have for stopping when the context of [Start] is done. The default is
// 10 seconds.
func Grace(d time.Duration) RunOption { return func(o *runOptions) { o.grace = d } }

// Keep sets how long the run, with its values and logs, is kept after its end. The default is 7
// days; 0 is for ever.
func Keep(d time.Duration) RunOption { return func(o *runOptions) { o.keep = d } }

// Report says what became of a run.
type Report struct {
	Run                                   string
	State                                 string // "succeeded", "failed" or "cancelled"
	Total                                 int    // stages; each is counted in one of the next four
	Succeeded, Failed, Skipped, Cancelled int
	Started, Finished                     time.Time // by the clock of Redis

	// Outputs has the values of the stages that nothing comes after, of the first 1,000 of them:
	// JSON as it is, text as a JSON string, other bytes as {"codec": ..., "base64": ...}. They are
	// whole, however large: what should not be held in memory is better left to a stage that stores
	// it.
	Outputs map[string]json.RawMessage
}

// StageError is a stage that failed.
type StageError struct {
	Stage   string
	Attempt int
	Message string

	err error
}

// Error names the stage and the reason.
func (e *StageError) Error() string { return fmt.Sprintf("stage %q: %s", e.Stage, e.Message) }

// Unwrap returns the error that the stage's function returned, if the attempt was executed by this
// process; else nil.
func (e *StageError) Unwrap() error { return e.err }

// RunError says that a run has not succeeded. Its [StageError] values are found with errors.As.
type RunError struct {
	Run    string
	State  string        // "failed" or "cancelled"
	Failed []*StageError // in order of time
}

// Error names the run and the stages that failed.
func (e *RunError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s %s", e.Run, e.State)
	for i, f := range e.Failed {
		if i == 10 {
			fmt.Fprintf(&b, "\n  ... and %d more", len(e.Failed)-i)
			break
		}
		b.WriteString("\n  " + f.Error())
	}

	return b.String()
}

// Unwrap returns the stages that failed.
func (e *RunError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f
	}
	return errs
}

// apply applies options, and says what is wrong with them.
func (o *runOptions) apply(list []RunOption) error {
	var problems []error
	for i, option := range list {
		if option == nil {
			problems = append(problems, fmt.Errorf("start: option %d is nil", i+1))
			continue
		}
		option(o)
	}

	if o.cores < 0 {
		problems = append(problems, fmt.Errorf("start: Cores(%d): it must be 1 or more, or 0 if workers elsewhere execute all stages", o.cores))
	}

	if o.cores == 0 && o.redis == "" {
		problems = append(problems, errors.New("start: Cores(0) leaves all stages to workers elsewhere, which need a Redis: name it with Redis or REDIS_URL, or leave Cores out"))
	}

	if o.grace < 0 {
		problems = append(problems, fmt.Errorf("start: Grace(%v): it cannot be negative", o.grace))
	}

	if o.keep < 0 {
		problems = append(problems, fmt.Errorf("start: Keep(%v): it cannot be negative; 0 is for ever", o.keep))
	}
	return errors.Join(problems...)
}

// Start runs a pipeline in this process and waits for its end. Each stage starts as soon as all
// that it comes after have succeeded.
//
// A run that ends badly gives a [*RunError] beside its report. When ctx is done the run is
// cancelled, unless another process drives it; the error is then the context's cause as well. Any
// other error means that the pipeline is not valid ([*dag.InvalidError]) or that Redis cannot be
// reached.
func Start(ctx context.Context, p *Pipeline, opts ...RunOption) (*Report, error) {
	o, definition, err := prepare(p, opts)
	if err != nil {
		return nil, err
	}

	failures := newFailures()
	definition.Handlers = failures.watch(definition.Handlers)
	registry, caches, err := engine.Collect(definition)
	if err != nil {
		return nil, err
	}

	session, err := engine.Open(ctx, engine.Config{Redis: o.redis, Home: engine.Home(), Registry: registry, Caches: caches, Logger: slog.Default()})
	if err != nil {
		return nil, err
	}

	report, err := start(ctx, session, definition, o, failures)
	return report, errors.Join(err, session.Close())
}

// prepare returns the options of a run, and the pipeline with the parameters of the run.
func prepare(p *Pipeline, opts []RunOption) (o runOptions, definition engine.Pipeline, err error) {
	o = runOptions{cores: engine.DefaultConcurrency(), redis: os.Getenv("REDIS_URL"), grace: defaultGrace, keep: engine.DefaultKeep}
	if err := o.apply(opts); err != nil {
		return o, definition, err
	}
	if p == nil {
		return o, definition, errors.New("start: the pipeline is nil")
	}

	if o.id != "" {
		if _, err := journal.ChooseRunID(o.id); err != nil {
			return o, definition, err
		}
	}

	if definition, err = p.define(); err != nil {
		return o, definition, err
	}

	definition.Spec, err = bind(definition.Spec, o.params)
	return o, definition, err
}

func start(ctx context.Context, session *engine.Session, p engine.Pipeline, o runOptions, f *failures) (*Report, error) {
	run, err := session.Run(ctx, engine.RunOptions{ID: journal.RunID(o.id), Spec: p.Spec, Concurrency: o.cores, Grace: o.grace, Keep: o.keep})
	if run == nil || !run.State.Finished() {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	result, reportErr := report(context.WithoutCancel(ctx), session, run)
	f.explain(reportErr)
	return result, errors.Join(reportErr, err, context.Cause(ctx))
}

// report returns the report of a finished run, and a [*RunError] if the run did not succeed.
func report(ctx context.Context, session *engine.Session, run *runstate.Run) (*Report, error) {
	outputs, err := run.Outputs(ctx, session.Journal, session.Stores, runstate.AnySize)
	return newReport(run, outputs), errors.Join(outcome(run), err)
}

func newReport(run *runstate.Run, outputs map[string]json.RawMessage) *Report {
	r := run.Result(run.Finished)
	return &Report{r.Run, r.State, r.Stages.Total, r.Stages.Succeeded, r.Stages.Failed, r.Stages.Skipped, r.Stages.Cancelled,
		run.Submitted, run.Finished, outputs}
}

// outcome is nil for a run that succeeded.
func outcome(run *runstate.Run) error {
	if run.State.Outcome() == dag.Succeeded {
		return nil
	}
	e := &RunError{Run: string(run.ID), State: run.State.Outcome().String()}
	for _, f := range run.Failures {
		e.Failed = append(e.Failed, &StageError{Stage: run.Name(f.Stage), Attempt: int(f.Attempt), Message: f.Text})
	}
	return e
}
