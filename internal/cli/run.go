package cli

import (
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
)

func defineRun(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "run", Usage: "run a pipeline and wait for it", ArgsUsage: "[TARGET]",
		Description: "TARGET is a pipeline of this program, a .yaml, .yml or .json file, or a folder with a pipeline.yaml; the default is ./pipeline.yaml, else the first pipeline of this program.\n" +
			"Without --redis the stages run in this process, on a private Redis. With --redis they run on the workers of that Redis.\n" +
			"With the --run-id of an existing run of the same pipeline it follows that run, and takes over if its coordinator dies.",
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "run-id", Usage: "use `ID` for the run, or follow the run with that ID (default: pipeline, time and a few letters)"},
			&ucli.BoolFlag{Name: "detach", Usage: "submit the run to a coordinator that serves, and return; needs --redis"},
			&ucli.StringFlag{Name: "keep", Value: "7d", Usage: "keep the run, its values and its logs for `TIME` after it finished, such as 12h or 30d; 0: forever"},
			&ucli.StringFlag{Name: "values", Usage: "keep values between stages in `STORE`: redis, memory, disk or disk:FOLDER (default: redis)"},
		}, slices.Concat(paramFlags(), drivingFlags())...),
		Action: p.action(run),
	}
}

// drivingFlags are the flags of commands that act as the coordinator of a run.
func drivingFlags() []ucli.Flag {
	return slices.Concat([]ucli.Flag{
		&ucli.IntFlag{Name: "concurrency", Usage: "run up to `N` stages at once in this process (default: one per core, and none with --redis or --workers)"},
		&ucli.IntFlag{Name: "workers", Usage: "start `N` worker processes for this run; each runs one stage at a time"},
	}, pacingFlags(), []ucli.Flag{redisFlag(), homeFlag(), outFlag(), progressFlag(), logsFlag(), colorFlag()})
}

// pacingFlags tell a coordinator how to dispatch and stop stages.
func pacingFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.DurationFlag{Name: "grace", Value: 10 * time.Second, Usage: "give stages `TIME` to stop when the run is cancelled"},
		&ucli.IntFlag{Name: "batch", Usage: "send up to `N` short stages to a worker in one task (default: 256; 1: each stage alone)"},
		&ucli.DurationFlag{Name: "no-worker-timeout", Usage: "exit with 3 if no worker can run a ready stage for `TIME` (default: wait forever)"},
		&ucli.BoolFlag{Name: "no-fuse", Usage: "do not send a stage in one task with its only dependency"},
	}
}

func run(i invocation) error {
	f := &foreground{invocation: i}
	if err := f.parseRun(); err != nil {
		return err
	}
	if i.c.Bool("detach") {
		return f.detach()
	}

	return f.open(func() error { return f.watch(f.session.Run) })
}

// parseRun checks the flags of run. It does so before anything is started, so that wrong usage is
// reported at once and has no effects.
func (f *foreground) parseRun() (err error) {
	c := f.c
	// The empty text means the default pipeline in target. Here it is an unset shell variable.
	if c.NArg() == 1 && c.Args().First() == "" {
		return usageError("TARGET is an empty text")
	}

	// Other tools take the values of parameters as arguments.
	if values := c.Args().Tail(); len(values) > 0 && strings.Contains(values[0], "=") {
		return usageError("run takes one TARGET, but got %.200q too: did you mean --param %.200s?", values[0], shellWord(values[0]))
	}
	if c.NArg() > 1 {
		return usageError("run takes one TARGET, but got %q", c.Args().Slice())
	}
	// Found after the run, a wrong format would lose the result.
	if f.json, err = f.asJSON(); err != nil {
		return err
	}

	store, err := values.ParseURL(c.String("values"), f.home())
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if f.options, err = f.drivingOptions(); err != nil {
		return err
	}
	if f.options.Keep, err = parseAge(c.String("keep")); err != nil {
		return usageError("--keep: %w", err)
	}

	// IsSet, because an empty ID is a mistake too, and not a request for a generated one.
	if id := c.String("run-id"); c.IsSet("run-id") {
		if f.options.ID, err = runs.ChooseID(id); err != nil {
			return &exitError{exitUsage, err}
		}
	}

	// The pipeline comes last: reading a file takes longest, and a wrong flag should not wait for
	// it.
	// Workers of a fleet have other folders, which only their paths can name.
	sp, err := f.target(c.Args().First(), c.String("redis") == "")
	if err != nil {
		return err
	}
	if sp, err = withParams(c, sp); err != nil {
		return err
	}

	f.options.Spec = withValues(sp, store)
	return nil
}

// drivingOptions checks the driving flags.
func (i invocation) drivingOptions() (o engine.RunOptions, err error) {
	c := i.c
	o = engine.RunOptions{
		Concurrency: c.Int("concurrency"), Children: c.Int("workers"), Grace: c.Duration("grace"),
		MaxBatch: c.Int("batch"), NoFuse: c.Bool("no-fuse"), NoWorker: c.Duration("no-worker-timeout"),
	}
	if o.Concurrency < 0 || o.Children < 0 || o.Grace < 0 || o.MaxBatch < 0 || o.NoWorker < 0 {
		return o, usageError("--concurrency, --workers, --grace, --batch and --no-worker-timeout cannot be negative")
	}
	// 0 means the default in RunOptions, which is the opposite of what the user typed.
	if o.Concurrency == 0 && c.IsSet("concurrency") {
		return o, usageError("--concurrency 0 leaves no worker to execute stages: give 1 or more, or omit the flag for one per core")
	}

	return o, nil
}

// withValues returns a copy: the pipeline belongs to the program, which may run it again with
// another store.
func withValues(sp *spec.Spec, store string) *spec.Spec {
	changed := *sp
	changed.Values = store
	return &changed
}
