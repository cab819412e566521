package godags

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/condition"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/pipefile"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// Pipeline is a set of stages and the order between them. One goroutine builds it. Then it can be
// run any number of times.
//
// Mistakes made while building (a name used twice, a cycle) are reported together by [Run],
// [Client.Submit] and [Main], before anything runs.
type Pipeline struct {
	name       string
	settings   spec.Settings
	defaults   options // of its stages
	middleware []tasks.Middleware
	stages     []*Stage
	problems   []error
}

// New returns an empty pipeline. The name is up to 200 bytes of printable text without slashes.
// Options for stages are the defaults of all its stages.
func New(name string, opts ...PipelineOption) *Pipeline {
	p := &Pipeline{name: name, defaults: options{codec: cache.JSON}}
	p.problems = apply(opts, func(o PipelineOption) { o.applyPipeline(p) })

	// Each stage begins with a copy of the defaults, which must not repeat what is reported here.
	p.problems = append(p.problems, p.defaults.problems...)
	p.defaults.problems = nil

	if badTime(p.settings.Timeout) {
		p.problems = append(p.problems, fmt.Errorf(
			"RunTimeout(%v): it must be 0, for no limit, or at least %v", p.settings.Timeout, leastTime))
	}
	return p
}

// Name returns the name given to [New].
func (p *Pipeline) Name() string { return p.name }

// Stage is a step of a pipeline.
type Stage struct {
	pipeline *Pipeline
	name     string
	after    []*Stage
	handler  tasks.Handler
	params   json.RawMessage // of the command
	options

	// Codecs of its output: see [Map]. The codec of the options is that of values by key.
	written cache.Codec // by one execution
	read    cache.Codec // of the output that others read
}

// Name returns the stage's name.
func (s *Stage) Name() string { return s.name }

// Dependency is a [*Stage] or the [Output] of one: see [After].
type Dependency interface{ dependency() *Stage }

func (s *Stage) dependency() *Stage { return s }

// After makes the stage start only when all the given ones have succeeded, and returns the stage.
// It adds to earlier calls. The option [After] does the same for a stage that is being made.
func (s *Stage) After(dependencies ...Dependency) *Stage {
	for _, d := range dependencies {
		var dep *Stage
		if d != nil {
			dep = d.dependency()
		}

		if dep == nil {
			s.pipeline.problems = append(s.pipeline.problems, fmt.Errorf(
				"stage %q: After got a nil stage, or an Output that no Produce, Then, Join, Collect, Map or Command made", s.name))
			continue
		}

		if dep.pipeline != s.pipeline {
			s.pipeline.problems = append(s.pipeline.problems, fmt.Errorf(
				"stage %q comes after %q, which is a stage of another pipeline (%q)", s.name, dep.name, dep.pipeline.name))
			continue
		}

		s.after = append(s.after, dep)
	}

	return s
}

// Do adds a stage that has neither input nor output. Use [After] for its dependencies.
// The function must return soon after its context is done. Its error, or panic, fails the stage.
func (p *Pipeline) Do(name string, f func(context.Context) error, opts ...StageOption) *Stage {
	return p.add(name, f == nil, func(ctx context.Context, _ *tasks.Stage) error { return f(ctx) }, mapOptions(opts))
}

// add adds a stage. missing says that its function is nil.
func (p *Pipeline) add(name string, missing bool, f tasks.HandlerFunc, opts []MapOption) *Stage {
	s := &Stage{pipeline: p, name: name, options: p.defaults}
	problems := apply(opts, func(o MapOption) { o.applyStage(s) })
	problems = append(problems, s.problems...)
	s.written, s.read = s.codec, s.codec
	if missing {
		problems = append(problems, errors.New("its function is nil"))
	}

	for _, err := range append(problems, s.check()...) {
		p.problems = append(p.problems, fmt.Errorf("stage %q: %w", name, err))
	}

	// The condition is asked inside the middleware, so that a trace covers it.
	s.handler = tasks.HandlerFunc(func(ctx context.Context, st *tasks.Stage) error {
		ctx = context.WithValue(ctx, stageKey{}, s)
		if err := s.mayRun(ctx); err != nil {
			return err
		}
		return f(ctx, st)
	})

	p.stages = append(p.stages, s)
	return s
}

// task is the name under which workers find the stage's function.
func (s *Stage) task() string { return s.pipeline.name + "/" + s.name }

// mayRun returns [tasks.ErrSkip] if the stage's own function says that it is not to be executed.
func (s *Stage) mayRun(ctx context.Context) error {
	if s.when == nil {
		return nil
	}

	holds, err := s.when(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("condition: %w", err)
	case !holds:
		return tasks.ErrSkip
	}

	return nil
}

// complete returns what is wrong with the stage now that all that it comes after is known.
func (s *Stage) complete(after []string) error {
	if s.policy.When == "" {
		return nil
	}

	_, err := condition.Compile(s.policy.When, condition.Scope{
		Params:  s.pipeline.settings.Params,
		Outputs: after,
		Item:    s.policy.ForEach != "",
	})
	var wrong *condition.Error
	if errors.As(err, &wrong) {
		return fmt.Errorf("stage %q: When: %w\n%s", s.name, wrong, pipefile.Excerpt(s.policy.When, wrong.At, wrong.End))
	}

	return err
}

// define returns the pipeline in the form that the engine runs.
func (p *Pipeline) define() (engine.Pipeline, error) {
	b := &spec.Builder{Name: p.name, Settings: p.settings}
	b.Grow(len(p.stages), len(p.stages))
	d := engine.Pipeline{Handlers: make(map[string]tasks.Handler), Caches: make(map[string]cache.Cache)}
	problems := slices.Clone(p.problems)
	for _, s := range p.stages {
		after := make([]string, len(s.after))
		for i, dep := range s.after {
			after[i] = dep.name
		}

		// Conditions are checked last: they may name stages and parameters that were added later.
		problems = append(problems, s.complete(after))
		b.Add(s.name, after, spec.Kind{Task: s.task(), Queue: s.queue, Params: s.params, Policy: s.policy})
		d.Handlers[s.task()] = tasks.Wrap(s.handler, p.middleware...)
		if s.cache != nil {
			d.Caches[s.task()] = s.cache
		}
	}

	// A user sees the mistakes of names, edges and options in one go.
	sp, err := b.Build()
	if err := errors.Join(append([]error{err}, problems...)...); err != nil {
		return d, err
	}

	d.Spec = sp
	return d, nil
}
