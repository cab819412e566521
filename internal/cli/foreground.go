package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/progress"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

// foreground is a command that shows a run until it has finished: run, resume, retry or attach.
type foreground struct {
	invocation
	options engine.RunOptions
	json    bool

	// Set by open.
	session *engine.Session
	screen  *screen
}

// startFunc drives or follows a run until it has finished, or until ctx ends.
type startFunc func(context.Context, engine.RunOptions) (*runstate.Run, error)

// open connects to Redis and the screen for as long as do runs.
func (f *foreground) open(do func() error) (err error) {
	// A closed pipe must not end a coordinator: its run would be stalled.
	defer surviveBrokenPipes()()

	// Before the connection, whose warnings go to the screen.
	if f.screen, err = f.newScreen(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.screen.Close()) }()

	if f.session, err = f.connect(f.c.Context, f.screen.logger(), 0); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.session.Close()) }()

	// The deferred calls close the session first. Its last warnings still reach the screen.
	f.screen.begin(f.session)
	return do()
}

// onRun executes start for the run that the only argument of the command names.
func (f *foreground) onRun(start func(*engine.Session, context.Context, engine.RunOptions) (*runstate.Run, error)) error {
	word, err := f.runWord(1)
	if err != nil {
		return err
	}
	if f.json, err = f.asJSON(); err != nil {
		return err
	}

	return f.open(func() error {
		// The run is looked up before start, so that an unknown run changes nothing.
		service := runs.New(f.session)
		found, err := f.findRun(f.c.Context, service, word)
		if err != nil {
			return err
		}

		f.options.ID = found.ID

		// A command that drives the run shows only what is new. Attach shows everything.
		if f.c.Command.Name != "attach" {
			last, err := service.Last(f.c.Context, found.ID)
			if err != nil {
				return err
			}
			f.screen.printer.Past(last)
			f.screen.logs.tail.Past = last
		}

		return f.watch(func(ctx context.Context, o engine.RunOptions) (*runstate.Run, error) {
			return start(f.session, ctx, o)
		})
	})
}

// watch starts a run, shows it until it has finished, and prints the result. The error has the exit
// code.
func (f *foreground) watch(start startFunc) error {
	o := f.options
	// No other process can execute stages there. On an external Redis the workers do.
	if !f.session.External() && o.Children == 0 && o.Concurrency == 0 {
		o.Concurrency = engine.DefaultConcurrency()
	}

	o.Observe = f.screen.observe
	o.Tick = f.screen.tick
	o.Tell = f.screen.showRole
	hurry := make(chan struct{})
	o.Hurry = hurry

	// Only from here on does a run depend on this process. Before, a signal ends it by default.
	ctx, stop := f.cancelOnSignal(o, hurry)
	defer stop()

	run, err := start(ctx, o)
	var sig interrupted
	if errors.As(context.Cause(ctx), &sig) && (f.screen.follows() || sig.handOver) {
		return &exitError{sig.code(), f.screen.Close()} // the run continues and has no result yet
	}

	// The live block must be gone before the result is printed below it.
	err = errors.Join(err, f.screen.Close())
	// There is no run to show: it could not be submitted or read.
	if run == nil {
		return f.explainStart(err)
	}

	// Such a run has no result to print, and a hint to resume it would be wrong.
	if errors.Is(err, engine.ErrStateLost) || runs.Unreadable(err) {
		return err
	}

	return f.verdict(run, errors.Join(err, f.printResult(run)), context.Cause(ctx))
}

// explainStart says what to do when a run could not be started.
func (f *foreground) explainStart(err error) error {
	if errors.Is(err, runs.ErrExists) {
		return fmt.Errorf("%w: show its result with %s, or choose another --run-id", err, f.hint("status", []string{string(f.options.ID)}))
	}
	return err
}

// verdict turns the outcome of a run into an exit code.
func (f *foreground) verdict(run *runstate.Run, err error, cause error) error {
	var sig interrupted
	code := exitFailed
	switch {
	// A shell expects the code of the signal, whatever became of the run.
	case errors.As(cause, &sig):
		code = sig.code()
	// The coordinator gave up: its error says more than the state of an unfinished run.
	case err != nil && !run.DAG.Finished():
		code = classify(err)
	case run.DAG.Outcome() == dag.Succeeded && err == nil:
		return nil
	case run.TimeLimit > 0: // before cancelled: a run that exceeds its limit is cancelled for that
		code = exitTimedOut
	case run.DAG.Outcome() == dag.Cancelled:
		code = exitCancelled
	}

	return &exitError{code, err}
}

// printResult prints the result of a run on standard output.
func (f *foreground) printResult(run *runstate.Run) error {
	// After Ctrl-C the context has ended, and the result is still due.
	ctx := context.WithoutCancel(f.c.Context)
	service := runs.New(f.session)

	// A person does not read megabytes, but a program may need all of them.
	most := runstate.ForPeople
	if f.json {
		most = runstate.AnySize
	}

	outputs, err := service.Outputs(ctx, run, most)
	if !f.json {
		return errors.Join(err, ignoreClosed(f.summary(ctx, service, run, outputs)))
	}

	result := run.Result(time.Now())
	result.Outputs = outputs
	// A result without some outputs is printed too: the run itself is known.
	if encodeErr := ignoreClosed(printJSON(f.Out, result)); encodeErr != nil {
		err = errors.Join(err, fmt.Errorf("print result: %w", encodeErr))
	}
	return err
}

// summary prints the last block on standard output.
func (f *foreground) summary(ctx context.Context, service *runs.Service, run *runstate.Run, outputs map[string]json.RawMessage) error {
	// Decided again for standard output, which may be a pipe while standard error is a terminal.
	color, err := progress.ParseColor(f.c.String("color"))
	if err != nil {
		return err
	}

	return progress.Summary(f.Out, run, progress.SummaryConfig{
		Color: color.Enabled(f.Out, os.LookupEnv), Width: f.columns(), Now: time.Now(), Outputs: outputs,
		Next: f.nextSteps(service, run),
		Log:  func(a runs.AttemptID) ([]byte, error) { return service.Log(ctx, run.ID, a.Stage, a.Attempt) },
	})
}

// nextSteps returns what a user can do about a run that did not succeed. A run in a Redis of this
// process is gone with it, so that only a new run is possible.
func (i invocation) nextSteps(service *runs.Service, run *runstate.Run) (hints []progress.Hint) {
	keeps := service.Redis().Keeps
	id := []string{string(run.ID)}
	switch {
	case run.DAG.Outcome() == dag.Succeeded:
		return nil
	// Nothing else is possible before the run has finished.
	case keeps && !run.DAG.Finished():
		return []progress.Hint{i.hintAgain("resume", id).next("resume it")}
	case keeps && len(run.Failures) > 0:
		stage := run.Name(run.Failures[0].Stage)
		hints = append(hints, i.hint("logs", []string{string(run.ID), stage}).next("look closer"))
	}

	// The summary shows only the first failures.
	if keeps && len(run.Failures) > shownFailures {
		hints = append(hints, i.hint("status", id, "--stages").next("see them all"))
	}

	if keeps {
		hints = append(hints, i.hintAgain("retry", id).next("retry it"))
	}

	// Other commands do not know which TARGET the run was started with.
	if i.c.Command.Name == "run" {
		hints = append(hints, i.hintAgain("run", i.c.Args().Slice()).next("run it again"))
	}
	return hints
}
