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

func defineServe(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "serve", Usage: "act as the coordinator of all runs on a Redis that have none",
		Description: "It takes the runs that run --detach submits, and adopts runs whose coordinator has died. Several may serve one Redis.\n" +
			"The first SIGTERM or Ctrl-C releases its runs, so that another coordinator adopts them at once; running stages continue.",
		Flags: append([]ucli.Flag{
			sharedRedisFlag(),
			nameFlag(),
			&ucli.IntFlag{Name: "runs", Value: 100, Usage: "drive up to `N` runs at once"},
			&ucli.StringFlag{Name: "metrics-addr", Usage: "serve /healthz and /metrics on `ADDRESS`, such as :9091, which means 127.0.0.1:9091 (default: off)"},
		}, pacingFlags()...),
		Action: p.action(serve),
	}
}

func serve(i invocation) error {
	if err := i.noArguments(); err != nil {
		return err
	}

	// A private Redis is stopped by its last user, and its runs have coordinators already.
	if i.c.String("redis") == "" {
		return usageError("serve needs a Redis that workers use as well: give --redis URL or REDIS_URL")
	}

	options, err := i.drivingOptions()
	if err != nil {
		return err
	}

	runs := i.c.Int("runs")
	if runs < 1 {
		return usageError("--runs must be at least 1")
	}

	// Each run needs a connection that waits for its journal, and another for its writes.
	logger := slog.New(slog.NewTextHandler(i.Err, nil))
	session, err := i.awaitRedis(logger, 2*runs)
	if err != nil {
		return err
	}

	server := session.NewServer(engine.ServeOptions{
		ID: engine.NewWorkerID(i.c.String("name")), Runs: runs,
		Grace: options.Grace, MaxBatch: options.MaxBatch, NoFuse: options.NoFuse, NoWorker: options.NoWorker,
	})
	return errors.Join(serveUntilSignal(i.c, server, logger), session.Close())
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
	context.AfterFunc(ctx, stop) // the next signal has its default effect, and ends the process

	err = server.Run(ctx, func() { logger.Info("coordinator serves", "coordinator", server.ID, "runs", server.Runs) })
	logger.Info("coordinator stopped", "coordinator", server.ID, "finished", server.Stats().Finished)
	return err
}
