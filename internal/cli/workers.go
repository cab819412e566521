package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/spec"
)

func defineWorkers(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "workers", Usage: "list the workers that listen on a Redis",
		Description: fmt.Sprintf("An unhealthy worker takes no stages because it cannot execute any.\n"+
			"A worker without a heartbeat for %s is silent; after a minute it is no longer listed.", runs.SilentAfter),
		Flags:  []ucli.Flag{redisFlag(), homeFlag(), outFlag(), colorFlag()},
		Action: p.action(showWorkers),
	}
}

func showWorkers(i invocation) error {
	if err := i.noArguments(); err != nil {
		return err
	}

	form, err := i.form()
	if err != nil {
		return err
	}

	return i.read(func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		workers, err := runs.New(s).Workers(ctx)
		if err != nil {
			return err
		}
		if form.json {
			return printWorkersJSON(out, workers)
		}
		if len(workers) == 0 {
			fmt.Fprintln(i.Err, i.noWorkers(s))
			return nil
		}

		// Silent workers are listed too: a user looks here for the one that is missing.
		workerTable(workers, time.Now()).print(out, form, "")

		// The reason is too long for a column.
		for _, w := range workers {
			if w.Alive() && w.Unhealthy != "" {
				fmt.Fprintf(out, "\n%s takes no stages: %s\n", printable(w.ID), printable(w.Unhealthy))
			}
		}

		return nil
	})
}

// noWorkers says how to start a worker.
func (i invocation) noWorkers(s *engine.Session) string {
	if s.External() {
		return fmt.Sprintf("no live workers: start one with %s", i.hintWorker(spec.DefaultQueue))
	}
	return "no live workers: without --redis a run has its own, until it has finished"
}

func workerTable(workers []runs.Worker, now time.Time) table {
	t := table{{"WORKER", "STATE", "BUSY", "QUEUES", "LAST BEAT", "STARTED", "HOST", "PID", "VERSION", "KEY"}}
	for _, w := range workers {
		t = append(t, []string{w.ID, runs.WorkerState(w), fmt.Sprintf("%d/%d", w.Busy, w.Slots), strings.Join(w.Queues, ","),
			short(w.Age) + " ago", moment(w.Started, now), w.Host, fmt.Sprint(w.PID), w.Version, w.Key})
	}
	return t
}

type workerInfo = runs.Worker

// listedWorker is a worker in the list for programs.
type listedWorker struct {
	Worker string `json:"worker"`
	workerInfo
	State   string  `json:"state"` // idle, busy, unhealthy or silent
	LastAge float64 `json:"seconds_since_beat"`
}

func printWorkersJSON(out *bufio.Writer, workers []runs.Worker) error {
	list := make([]listedWorker, len(workers))
	for i, w := range workers {
		list[i] = listedWorker{w.ID, w, runs.WorkerState(w), w.Age.Seconds()}
	}
	return printJSON(out, list)
}
