package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
)

func (p Program) runCommand() *ucli.Command {
	return &ucli.Command{
		Name: "run", Usage: "run a pipeline and wait for its end", ArgsUsage: "[TARGET]",
		Description: "TARGET is a pipeline of this program or a .yaml, .yml or .json file; without it the first pipeline of this program is run.\n" +
			"Without --redis the stages run here, on a Redis of our own. With it they run on the workers that listen there.\n" +
			"With the --run-id of a run of the same pipeline it follows that run, and goes on with it if its coordinator dies.",
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "run-id", Usage: "`ID` of the run (default: pipeline, time and a few letters); one that is known is followed"},
			&ucli.BoolFlag{Name: "detach", Usage: "submit the run and return: a coordinator that serves drives it; needs --redis"},
			&ucli.StringFlag{Name: "keep", Value: "7d", Usage: "`TIME` that the run, its values and logs are kept after its end, such as 12h or 30d; 0: for ever"},
			&ucli.StringFlag{Name: "values", Usage: "`STORE` of values between stages: redis, memory, disk or disk:FOLDER (default: redis)"},
		}, slices.Concat(paramFlags(), drivingFlags())...),
		Action: p.run,
	}
}

// drivingFlags are those of the commands that drive a run.
func drivingFlags() []ucli.Flag {
	return slices.Concat([]ucli.Flag{
		&ucli.IntFlag{Name: "concurrency", Usage: "run up to `N` stages at once in this process (default: one per core, and none with --redis or --workers)"},
		&ucli.IntFlag{Name: "workers", Usage: "start `N` worker processes for this run, each running one stage at once"},
	}, pacingFlags(), []ucli.Flag{redisFlag(), homeFlag(), outFlag(), progressFlag(), colorFlag()})
}

// pacingFlags say how a coordinator deals with a run.
func pacingFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.DurationFlag{Name: "grace", Value: 10 * time.Second, Usage: "`TIME` that running stages have for stopping when the run is cancelled"},
		&ucli.IntFlag{Name: "batch", Usage: "send up to `N` short stages to a worker together (default: 256; 1: each alone)"},
		&ucli.DurationFlag{Name: "no-worker-timeout", Usage: "leave the run, with code 3, when stages have waited for `TIME` without a worker that could execute them (default: wait for ever)"},
		&ucli.BoolFlag{Name: "no-fuse", Usage: "do not send a stage together with the only one that it depends on"},
	}
}

// runFlags is what the flags of run say, checked.
type runFlags struct {
	options engine.RunOptions
	json    bool
}

func (p Program) run(c *ucli.Context) error {
	flags, err := p.parseRun(c)
	if err != nil {
		return err
	}
	if c.Bool("detach") {
		return p.detach(c, flags)
	}

	return p.withScreen(c, func(session *engine.Session, screen *screen) error {
		return p.conduct(c, session, screen, flags.options, flags.json, session.Run)
	})
}

// withScreen connects, does something that is shown on the screen, and cleans up.
func (p Program) withScreen(c *ucli.Context, do func(*engine.Session, *screen) error) (err error) {
	defer surviveBrokenPipes()()
	screen, err := p.newScreen(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, screen.Close()) }()
	session, err := p.connect(c.Context, c, screen.logger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	screen.begin(session)
	return do(session, screen)
}

func (p Program) parseRun(c *ucli.Context) (f runFlags, err error) {
	if c.NArg() == 1 && c.Args().First() == "" {
		return f, usageError("TARGET is an empty text")
	}

	if c.NArg() > 1 {
		return f, usageError("run takes one TARGET, but got %q", c.Args().Slice())
	}
	if f.json, err = asJSON(c); err != nil {
		return f, err
	}

	store, err := values.ParseURL(c.String("values"), homeOf(c))
	if err != nil {
		return f, &exitError{exitUsage, err}
	}
	if f.options, err = drivingOptions(c); err != nil {
		return f, err
	}
	if f.options.Keep, err = parseAge(c.String("keep")); err != nil {
		return f, usageError("--keep: %w", err)
	}

	if id := c.String("run-id"); c.IsSet("run-id") {
		if f.options.ID, err = runs.ChooseID(id); err != nil {
			return f, &exitError{exitUsage, err}
		}
	}

	sp, err := p.target(c.Args().First())
	if err != nil {
		return f, err
	}
	if sp, err = withParams(c, sp); err != nil {
		return f, err
	}

	f.options.Spec = withValues(sp, store)
	return f, nil
}

// drivingOptions is what the driving flags say, checked.
func drivingOptions(c *ucli.Context) (o engine.RunOptions, err error) {
	o = engine.RunOptions{Concurrency: c.Int("concurrency"), Children: c.Int("workers"), Grace: c.Duration("grace"),
		MaxBatch: c.Int("batch"), NoFuse: c.Bool("no-fuse"), NoWorker: c.Duration("no-worker-timeout")}
	if o.Concurrency < 0 || o.Children < 0 || o.Grace < 0 || o.MaxBatch < 0 || o.NoWorker < 0 {
		return o, usageError("--concurrency, --workers, --grace, --batch and --no-worker-timeout cannot be negative")
	}
	if o.Concurrency == 0 && c.IsSet("concurrency") {
		return o, usageError("--concurrency 0 leaves no worker to execute stages: give 1 or more, or omit the flag for one per core")
	}

	return o, nil
}

func withValues(sp *spec.Spec, store string) *spec.Spec {
	changed := *sp
	changed.Values = store
	return &changed
}

// onRun does something with the run that the command's only argument names.
func (p Program) onRun(c *ucli.Context, o engine.RunOptions, start func(*engine.Session, context.Context, engine.RunOptions) (*runstate.Run, error)) error {
	word, err := runWord(c, 1)
	if err != nil {
		return err
	}

	asJSON, err := asJSON(c)
	if err != nil {
		return err
	}

	return p.withScreen(c, func(session *engine.Session, screen *screen) error {
		service := runs.New(session)
		found, err := p.findRun(c.Context, c, service, word)
		if err != nil {
			return err
		}

		o.ID = found.ID

		// A command that drives the run shows only what is new. Attach shows everything.
		if c.Command.Name != "attach" {
			last, err := service.Last(c.Context, o.ID)
			if err != nil {
				return err
			}
			screen.printer.Past(last)
		}

		return p.conduct(c, session, screen, o, asJSON, func(ctx context.Context, o engine.RunOptions) (*runstate.Run, error) {
			return start(session, ctx, o)
		})
	})
}

// conduct runs or resumes a run under the eyes of a person, prints the result, and returns the
// verdict.
func (p Program) conduct(c *ucli.Context, session *engine.Session, screen *screen, o engine.RunOptions, asJSON bool,
	start func(context.Context, engine.RunOptions) (*runstate.Run, error)) error {
	if !session.External() && o.Children == 0 && o.Concurrency == 0 {
		o.Concurrency = engine.DefaultConcurrency()
	}

	o.Observe = screen.observe
	o.Tick = screen.tick
	o.Tell = screen.tell
	hurry := make(chan struct{})
	o.Hurry = hurry
	ctx, stop := p.cancelOnSignal(c.Context, session, screen, o, hurry)
	defer stop()

	run, err := start(ctx, o)
	var sig interrupted
	if errors.As(context.Cause(ctx), &sig) && (screen.follows() || sig.handOver) {
		return &exitError{sig.code(), screen.Close()}
	}

	err = errors.Join(err, screen.Close())
	if run == nil {
		return p.explainStart(c, o.ID, err)
	}
	if errors.Is(err, engine.ErrStateLost) || errors.Is(err, runs.ErrDamaged) {
		return err // there is nothing left to tell, and nothing to go on with
	}

	return p.verdict(run, errors.Join(err, p.printResult(c, session, run, asJSON)), context.Cause(ctx))
}

// explainStart says what to do when a run could not be started.
func (p Program) explainStart(c *ucli.Context, id runs.ID, err error) error {
	if errors.Is(err, runs.ErrExists) {
		return fmt.Errorf("%w: see what became of it with %s, or choose another --run-id", err, p.hint(c, "status", []string{string(id)}))
	}
	return err
}

// verdict turns the end of a run into an exit code.
func (p Program) verdict(run *runstate.Run, err error, cause error) error {
	var sig interrupted
	code := exitFailed
	switch {
	case errors.As(cause, &sig):
		code = sig.code()
	case err != nil && !run.State.Finished():
		code = classify(err)
	case run.State.Outcome() == dag.Succeeded && err == nil:
		return nil
	case run.TimeLimit > 0:
		code = exitTimedOut
	case run.State.Outcome() == dag.Cancelled:
		code = exitCancelled
	}

	return &exitError{code, err}
}

// printResult prints what became of the run on standard output.
func (p Program) printResult(c *ucli.Context, session *engine.Session, run *runstate.Run, asJSON bool) error {
	ctx := context.WithoutCancel(c.Context)
	most := runstate.ForPeople
	if asJSON {
		most = runstate.AnySize
	}

	outputs, err := runs.New(session).Outputs(ctx, run, most)
	if !asJSON {
		return errors.Join(err, heard(p.summary(ctx, c, runs.New(session), run, outputs)))
	}

	result := run.Result(time.Now())
	result.Outputs = outputs
	if encodeErr := heard(printJSON(p.Out, result)); encodeErr != nil {
		err = errors.Join(err, fmt.Errorf("print result: %w", encodeErr))
	}
	return err
}
