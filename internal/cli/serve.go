package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"syscall"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
)

func (p Program) serveCommand() *ucli.Command {
	return &ucli.Command{
		Name: "serve", Usage: "drive the runs on a Redis that nobody else drives",
		Description: "It takes the runs that run --detach submits and adopts those whose coordinator is gone. Any number may serve one Redis.\n" +
			"The first SIGTERM or Ctrl-C gives its runs up, so that another adopts them at once; the stages go on.",
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "redis", EnvVars: []string{"REDIS_URL"}, Usage: "`URL` of Redis: redis://, rediss://, unix:// or redis-sentinel:// (needed)"},
			&ucli.StringFlag{Name: "name", Usage: "`NAME` to be listed under (default: the host's); a few letters are added to make it unique"},
			&ucli.IntFlag{Name: "runs", Value: 100, Usage: "drive up to `N` runs at once"},
			&ucli.StringFlag{Name: "metrics-addr", Usage: "serve /healthz and /metrics on this `ADDRESS`, such as :9091, which means 127.0.0.1:9091 (default: off)"},
		}, pacingFlags()...),
		Action: p.serve,
	}
}

func (p Program) serve(c *ucli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}

	if c.String("redis") == "" {
		return usageError("serve needs a Redis that others use as well: give --redis URL or REDIS_URL")
	}

	options, err := drivingOptions(c)
	if err != nil {
		return err
	}

	runs := c.Int("runs")
	if runs < 1 {
		return usageError("--runs must be at least 1")
	}

	logger := slog.New(slog.NewTextHandler(p.Err, nil))
	session, err := p.awaitRedis(c, logger, 2*runs)
	if err != nil {
		return err
	}

	server := session.NewServer(engine.ServeOptions{ID: engine.NewWorkerID(c.String("name")), Runs: runs,
		Grace: options.Grace, MaxBatch: options.MaxBatch, NoFuse: options.NoFuse, NoWorker: options.NoWorker})
	return errors.Join(serveUntilSignal(c, server, logger), session.Close())
}

func serveUntilSignal(c *ucli.Context, server *engine.Server, logger *slog.Logger) error {
	stopMetrics, err := serveMetrics(c.String("metrics-addr"), server.Healthy,
		func() []metric { return serverMetrics(server.Stats()) }, logger)
	if err != nil {
		return err
	}
	defer stopMetrics()
	ctx, stop := notifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // another signal ends the process at once
	err = server.Run(ctx, func() { logger.Info("coordinator serves", "coordinator", server.ID, "runs", server.Runs) })
	logger.Info("coordinator ended", "coordinator", server.ID, "finished", server.Stats().Finished)
	return err
}
