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
		&ucli.StringFlag{Name: "redis", EnvVars: []string{"REDIS_URL"}, Usage: "`URL` of Redis: redis://, rediss://, unix:// or redis-sentinel:// (needed)"},
		&ucli.StringSliceFlag{Name: "queue", EnvVars: []string{"GODAGS_QUEUE"}, Usage: "`NAMES` of the queues to take stages from (default: " + spec.DefaultQueue + ")"},
		&ucli.IntFlag{Name: "concurrency", Value: 1, EnvVars: []string{"GODAGS_CONCURRENCY"}, Usage: "run up to `N` stages at once; the idea is one process per core"},
		&ucli.IntFlag{Name: "processes", Usage: "start `N` worker processes, and another for each that dies (default: be one worker)"},
		&ucli.StringFlag{Name: "name", Usage: "`NAME` to be listed under (default: the host's); a few letters are added to make it unique"},
		&ucli.StringFlag{Name: "user", Usage: "run commands of stages as `USER`, NAME or NAME:GROUP; only a worker of root can (default: the user of the worker)"},
		&ucli.StringFlag{Name: "metrics-addr", Usage: "serve /healthz and /metrics on this `ADDRESS`, such as :9090, which means 127.0.0.1:9090 (default: off)"},
		&ucli.StringFlag{Name: "run", Hidden: true, Usage: "the only `RUN` to serve"},
		&ucli.StringFlag{Name: "id", Hidden: true, Usage: "the whole `ID`, chosen by whoever starts us"},
	}
}

func (p Program) workerCommand() *ucli.Command {
	return &ucli.Command{Name: "worker", Usage: "execute stages for runs on a Redis", Flags: workerFlags(), Action: p.work,
		Description: workerHelp}
}

const workerHelp = "The first SIGTERM or Ctrl-C lets it finish the stages that it holds; the second stops them and hands them back."

// WorkerMain is [Main] of a program that is a worker and nothing else.
func WorkerMain(ctx context.Context, p Program, args []string) int {
	p.Out, p.Err = readable(p.Out, os.Getenv), readable(p.Err, os.Getenv)
	app := p.base()
	app.Usage = "executes stages for runs on a Redis"
	app.Description = workerHelp
	app.Flags = workerFlags()
	app.Action = p.work
	return p.execute(ctx, app, args)
}

func (p Program) work(c *ucli.Context) error {
	if c.Args().Present() {
		return usageError("a worker takes no arguments, but got %q", c.Args().Slice())
	}

	if c.String("redis") == "" {
		return usageError("a worker needs a Redis that others use as well: give --redis URL or REDIS_URL")
	}

	options := engine.WorkerOptions{ID: c.String("id"), Queues: queueNames(c.StringSlice("queue")), Concurrency: c.Int("concurrency"), Run: runs.ID(c.String("run"))}
	for _, q := range options.Queues {
		if err := spec.CheckQueue(q); err != nil {
			return &exitError{exitUsage, err}
		}
	}

	if options.Concurrency < 1 {
		return usageError("--concurrency must be at least 1")
	}

	if options.Run != "" {
		if _, err := runs.ParseID(string(options.Run)); err != nil {
			return &exitError{exitUsage, err}
		}
	}

	if c.IsSet("user") {
		user, err := command.LookupUser(c.String("user"))
		if err != nil {
			return usageError("--user %s: %w", c.String("user"), err)
		}
		options.User = user
	}

	if c.IsSet("processes") {
		n := c.Int("processes")
		if n < 1 {
			return usageError("--processes must be at least 1")
		}
		return p.supervise(c, n, slog.New(slog.NewTextHandler(p.Err, nil)))
	}

	if options.ID == "" {
		options.ID = engine.NewWorkerID(c.String("name"))
	}

	logger := slog.New(slog.NewTextHandler(p.Err, nil))
	session, err := p.awaitRedis(c, logger, 0)
	if err != nil {
		return err
	}

	w, err := session.NewWorker(options)
	if err == nil {
		err = p.serveWorker(c, w, options, logger)
	}
	return errors.Join(err, session.Close())
}

// awaitRedis connects a service, and waits for a Redis that is unavailable: a process manager
// starts both at once. What must be mended by a person, such as a wrong password or a URL that
// cannot be read, is an error at once.
func (p Program) awaitRedis(c *ucli.Context, logger *slog.Logger, connections int) (*engine.Session, error) {
	var said time.Time
	for begin := time.Now(); ; {
		session, err := p.connectFor(c.Context, c, logger, connections)
		if err == nil || !redisx.Passing(err) {
			return session, err
		}

		if now := time.Now(); now.Sub(said) >= time.Minute {
			said = now
			logger.Warn("waiting for Redis", "for", now.Sub(begin).Round(time.Second), "error", err)
		}

		select {
		case <-time.After(connectEvery):
		case <-c.Context.Done():
			return nil, err
		}
	}
}

// connectEvery is how often a service tries to reach a Redis that is unavailable.
const connectEvery = 200 * time.Millisecond

func queueNames(given []string) (names []string) {
	for _, list := range given {
		for name := range strings.SplitSeq(list, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}

	if len(names) == 0 {
		return []string{spec.DefaultQueue}
	}

	return names
}

// leaveAfter is how long a worker that was told to stop at once waits for handlers that ignore it.
const leaveAfter = 5 * time.Second

// serveWorker runs a worker until signals end it.
func (p Program) serveWorker(c *ucli.Context, w *engine.Worker, o engine.WorkerOptions, logger *slog.Logger) error {
	signals := make(chan os.Signal, 2)
	notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	drain, stopTaking := context.WithCancel(c.Context)
	abort, stopNow := context.WithCancel(context.WithoutCancel(c.Context))
	defer stopTaking()
	defer stopNow()

	stopServing, err := serveMetrics(c.String("metrics-addr"), w.Healthy, func() []metric { return workerMetrics(w.Stats()) }, logger)
	if err != nil {
		return err
	}
	defer stopServing()

	ended := make(chan error, 1)
	go func() {
		ended <- w.Run(drain, abort, func() {
			logger.Info("worker listens", "worker", o.ID, "queues", o.Queues, "concurrency", o.Concurrency, "key", w.Info.Key)
		})
	}()

	var overdue <-chan time.Time
	for stops := 0; ; {
		select {
		case err := <-ended:
			logger.Info("worker ended", "worker", o.ID, "executed", w.Stats().Executed)
			return err
		case s := <-signals:
			if stops++; stops == 1 {
				logger.Info("draining: finishing the stages in hand; another signal stops them", "signal", s, "busy", w.Stats().Busy)
				stopTaking()
				continue
			}
			stopNow()
			overdue = time.After(leaveAfter)

		case <-overdue:
			return &exitError{exitFailed, fmt.Errorf("a stage ignores that it was cancelled: leaving it after %s", leaveAfter)}
		}
	}
}
