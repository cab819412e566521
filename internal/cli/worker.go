package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/command"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/spec"
)

func workerFlags() []ucli.Flag {
	return []ucli.Flag{
		sharedRedisFlag(),
		&ucli.StringSliceFlag{Name: "queue", EnvVars: []string{"GODAGS_QUEUE"}, Usage: "take stages from the queues `NAMES` (default: " + spec.DefaultQueue + ")"},
		&ucli.IntFlag{Name: "concurrency", Value: 1, EnvVars: []string{"GODAGS_CONCURRENCY"}, Usage: "run up to `N` stages at once; one process per core is usually better"},
		&ucli.IntFlag{Name: "processes", Usage: "start `N` worker processes, and replace each that dies (default: run one worker in this process)"},
		nameFlag(),
		&ucli.StringFlag{Name: "user", Usage: "run commands of stages as `USER`, NAME or NAME:GROUP; needs root (default: the user of the worker)"},
		&ucli.StringFlag{Name: "metrics-addr", Usage: "serve /healthz and /metrics on `ADDRESS`, such as :9090, which means 127.0.0.1:9090 (default: off)"},
		&ucli.StringFlag{Name: "run", Hidden: true, Usage: "serve only `RUN`"},
		&ucli.StringFlag{Name: "id", Hidden: true, Usage: "use the whole `ID` that the parent process has chosen"},
	}
}

func defineWorker(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "worker", Usage: "execute stages for runs on a Redis", Flags: workerFlags(), Description: workerHelp,
		Action: p.action(runWorker),
	}
}

const workerHelp = "The first SIGTERM or Ctrl-C drains the worker: it finishes its stages and takes no more. The second stops them and requeues them."

// WorkerMain is [Main] of a program that is only a worker.
func WorkerMain(ctx context.Context, p Program, args []string) int {
	p.Out, p.Err = wrapTerminal(p.Out, os.Getenv), wrapTerminal(p.Err, os.Getenv)
	app := p.base()
	app.Usage = "executes stages for runs on a Redis"
	app.Description = workerHelp
	app.Flags = workerFlags()
	app.Action = p.action(runWorker)
	return p.execute(ctx, app, args)
}

func runWorker(i invocation) error {
	w := workerCommand{invocation: i, logger: slog.New(slog.NewTextHandler(i.Err, nil))}
	options, err := w.parse()
	if err != nil {
		return err
	}

	if i.c.IsSet("processes") {
		return w.supervise(i.c.Int("processes"))
	}

	if options.ID == "" {
		options.ID = engine.NewWorkerID(i.c.String("name"))
	}

	// After the flags were checked: wrong usage must not wait for Redis.
	session, err := i.awaitRedis(w.logger, 0)
	if err != nil {
		return err
	}

	worker, err := session.NewWorker(options)
	if err == nil {
		err = w.serve(worker, options)
	}
	return errors.Join(err, session.Close())
}

// workerCommand is one execution of worker.
type workerCommand struct {
	invocation
	logger *slog.Logger
}

// parse checks the flags.
func (w workerCommand) parse() (o engine.WorkerOptions, err error) {
	c := w.c
	if c.Args().Present() {
		return o, usageError("a worker takes no arguments, but got %q", c.Args().Slice())
	}

	if c.String("redis") == "" {
		return o, usageError("a worker needs a Redis that coordinators use as well: give --redis URL or REDIS_URL")
	}

	o = engine.WorkerOptions{
		ID: c.String("id"), Queues: queueNames(c.StringSlice("queue")),
		Concurrency: c.Int("concurrency"), Run: runs.ID(c.String("run")),
	}
	for _, q := range o.Queues {
		if err := spec.CheckQueue(q); err != nil {
			return o, &exitError{exitUsage, err}
		}
	}

	// 0 would make a worker that is alive and takes nothing.
	if o.Concurrency < 1 {
		return o, usageError("--concurrency must be at least 1")
	}
	if c.IsSet("processes") && c.Int("processes") < 1 {
		return o, usageError("--processes must be at least 1")
	}

	if o.Run != "" {
		if _, err := runs.ParseID(string(o.Run)); err != nil {
			return o, &exitError{exitUsage, err}
		}
	}

	// With --processes too, although each process looks the user up again: the error comes once,
	// and before any process is started.
	if c.IsSet("user") {
		if o.User, err = command.LookupUser(c.String("user")); err != nil {
			return o, usageError("--user %s: %w", c.String("user"), err)
		}
	}

	return o, nil
}

// awaitRedis connects a service, and waits while Redis is unreachable: a process manager starts
// both at once. An error that waiting cannot repair is returned at once, such as a wrong password
// or an invalid URL.
func (i invocation) awaitRedis(logger *slog.Logger, connections int) (*engine.Session, error) {
	ctx := i.c.Context
	var logged time.Time
	for begin := time.Now(); ; {
		session, err := i.connect(ctx, logger, connections)
		if err == nil || !redisx.Passing(err) {
			return session, err
		}

		// Five lines a second would hide everything else in the log of a process manager.
		if now := time.Now(); now.Sub(logged) >= time.Minute {
			logged = now
			logger.Warn("waiting for Redis", "for", now.Sub(begin).Round(time.Second), "error", err)
		}

		select {
		case <-time.After(connectEvery):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// connectEvery is the pause between two attempts to reach Redis.
const connectEvery = 200 * time.Millisecond

func queueNames(given []string) (names []string) {
	for _, list := range given {
		for name := range strings.SplitSeq(list, ",") {
			// Lists with a space after the comma are common in environment variables.
			names = append(names, strings.TrimSpace(name))
		}
	}

	if len(names) == 0 {
		return []string{spec.DefaultQueue}
	}

	return names
}

// abandonAfter is how long a worker waits for handlers that ignore their cancelled context.
const abandonAfter = 5 * time.Second

// serve runs a worker until signals stop it.
func (w workerCommand) serve(worker *engine.Worker, o engine.WorkerOptions) error {
	ctx := w.c.Context
	// Two, so that a second signal is kept while the first is being handled.
	signals := make(chan os.Signal, 2)
	notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	// The end of ctx is like a first signal: it must not stop the running stages.
	drain, stopTaking := context.WithCancel(ctx)
	abort, stopNow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTaking()
	defer stopNow()

	// Before the worker takes stages, so that an address in use starts none of them.
	stopServing, err := serveMetrics(w.c.String("metrics-addr"), worker.Healthy,
		func() []metric { return workerMetrics(worker.Stats()) }, w.logger)
	if err != nil {
		return err
	}
	defer stopServing()

	done := make(chan error, 1)
	go func() {
		done <- worker.Run(drain, abort, func() {
			w.logger.Info("worker listens", "worker", o.ID, "queues", o.Queues, "concurrency", o.Concurrency, "key", worker.Info.Key)
		})
	}()

	var overdue <-chan time.Time
	for stops := 0; ; {
		select {
		case err := <-done:
			w.logger.Info("worker stopped", "worker", o.ID, "executed", worker.Stats().Executed)
			return err

		case s := <-signals:
			if stops++; stops == 1 {
				w.logger.Info("draining: finishing the running stages; another signal stops them", "signal", s, "busy", worker.Stats().Busy)
				stopTaking()
				continue
			}
			stopNow()
			overdue = time.After(abandonAfter)

		case <-overdue:
			// A goroutine cannot be killed, but its process can exit.
			return &exitError{exitFailed, fmt.Errorf("a stage ignores its cancellation: exiting without it after %s", abandonAfter)}
		}
	}
}
