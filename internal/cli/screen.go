package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/progress"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

func progressFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "progress", Value: "auto", EnvVars: []string{"GODAGS_PROGRESS"},
		Usage: "`VIEW` of the run on standard error: auto, tty, plain, json, quiet"}
}

// screen is what a person sees of a run on standard error.
type screen struct {
	printer *progress.Printer
	quiet   bool
	run     atomic.Value // runs.ID, once there is one
	over    atomic.Bool  // it is finished
	tails   sync.WaitGroup
	closed  chan struct{}
	once    sync.Once

	reasons reasons

	external atomic.Bool                               // Redis was given by URL
	part     atomic.Value                              // engine.Part, once it is known
	standBy  bool                                      // the run is taken over if nobody drives it
	hint     func(command string, args ...string) hint // see [Program.hintAgain]
}

func (p Program) newScreen(c *ucli.Context) (*screen, error) {
	mode, err := progress.ParseMode(c.String("progress"))
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}

	color, err := progress.ParseColor(c.String("color"))
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}

	s := &screen{quiet: mode == progress.Quiet, standBy: c.Command.Name != "attach", closed: make(chan struct{})}
	s.printer = progress.New(progress.Config{
		Out:    p.Err,
		Mode:   mode,
		Color:  color,
		Remedy: func(g runstate.Group) string { return p.remedy(c, s.external.Load(), g) },
	})
	s.hint = func(command string, args ...string) hint { return p.hintAgain(c, command, args) }
	return s, nil
}

// logger shows warnings above the live block, and nothing if quiet is asked for.
func (s *screen) logger() *slog.Logger {
	if s.quiet {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(s.printer, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (s *screen) say(format string, args ...any) {
	if !s.quiet {
		fmt.Fprintf(s.printer, format+"\n", args...)
	}
}

// begin says where the run is kept, unless the user has said so.
func (s *screen) begin(session *engine.Session) {
	if !session.External() {
		s.say("%s", session.Conn.Note)
	}
	s.external.Store(session.External())
	s.tails.Go(func() { s.follow(runs.New(session)) })
}

// follow fetches what the running stages that a terminal shows have printed so far.
func (s *screen) follow(service *runs.Service) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.closed:
			return
		}
		s.printer.Logs(s.logs(service, s.printer.Shown()))
		s.readFleet(service)
	}
}

// logs reads what attempts have printed. Without Redis there is nothing to show, and nothing to say
// that others do not.
func (s *screen) logs(service *runs.Service, attempts []runs.AttemptID) map[runs.AttemptID][]byte {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	logs := make(map[runs.AttemptID][]byte)
	for _, a := range attempts {
		log, err := service.Log(ctx, s.run.Load().(runs.ID), a.Stage, a.Attempt)
		if err != nil {
			return logs
		}
		logs[a] = log
	}

	return logs
}

// Close leaves the terminal as it was. It may be called again. That nobody sees what is shown is no
// error.
func (s *screen) Close() error {
	s.once.Do(func() { close(s.closed) })
	s.tails.Wait()
	return heard(s.printer.Close())
}

func (s *screen) observe(run *runstate.Run, e runs.Entry) {
	s.run.Store(run.ID)
	s.over.Store(run.State.Finished())
	s.reasons.ready.Store(int64(run.State.Count(dag.Ready)))
	s.printer.Observe(run, e)
}

// summary prints the last block on standard output.
func (p Program) summary(ctx context.Context, c *ucli.Context, service *runs.Service, run *runstate.Run, outputs map[string]json.RawMessage) error {
	color, err := progress.ParseColor(c.String("color"))
	if err != nil {
		return err
	}
	return progress.Summary(p.Out, run, progress.SummaryConfig{
		Color: color.Enabled(p.Out, os.LookupEnv), Width: p.columns(), Now: time.Now(), Outputs: outputs, Next: p.nextSteps(c, service, run),
		Log: func(a runs.AttemptID) ([]byte, error) { return service.Log(ctx, run.ID, a.Stage, a.Attempt) },
	})
}

// nextSteps says what can be done about a run that did not succeed. A run in a Redis of this
// process is gone with it.
func (p Program) nextSteps(c *ucli.Context, service *runs.Service, run *runstate.Run) (hints []progress.Hint) {
	keeps := service.Redis().Keeps
	id := []string{string(run.ID)}
	switch {
	case run.State.Outcome() == dag.Succeeded:
		return nil
	case keeps && !run.State.Finished():
		return []progress.Hint{p.hintAgain(c, "resume", id).next("resume it")}
	case keeps && len(run.Failures) > 0:
		stage := run.Name(run.Failures[0].Stage)
		hints = append(hints, p.hint(c, "logs", []string{string(run.ID), stage}).next("look closer"))
	}

	if keeps && len(run.Failures) > shownFailures {
		hints = append(hints, p.hint(c, "status", id, "--stages").next("see them all"))
	}

	if keeps {
		hints = append(hints, p.hintAgain(c, "retry", id).next("retry it"))
	}

	if c.Command.Name == "run" {
		hints = append(hints, p.hintAgain(c, "run", c.Args().Slice()).next("run it again"))
	}
	return hints
}
