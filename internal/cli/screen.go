package cli

import (
	"fmt"
	"log/slog"
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
		Usage: "show the run on standard error as `VIEW`: auto, tty, plain, json, quiet"}
}

func logsFlag() *ucli.StringFlag {
	return &ucli.StringFlag{Name: "logs", Value: "auto", EnvVars: []string{"GODAGS_LOGS"},
		Usage: "show the output of running stages as `VIEW`: none, tail (the last line of each, on a terminal), prefixed (each line after the name of its stage); auto is tail on a terminal, and prefixed elsewhere if the run has at most 50 stages"}
}

// screen is what a user sees of a run on standard error.
type screen struct {
	printer  *progress.Printer
	quiet    bool
	run      atomic.Value // runs.ID, as soon as it is known
	finished atomic.Bool  // the run has finished
	logs     *liveLogs
	helpers  sync.WaitGroup
	closed   chan struct{}
	once     sync.Once

	reasons reasons

	external atomic.Bool  // Redis was given by URL
	role     atomic.Value // engine.Role, as soon as it is known
	standBy  bool         // take over if the coordinator dies

	// hint is [invocation.hintAgain].
	hint func(command string, args ...string) hint
}

func (i invocation) newScreen() (*screen, error) {
	mode, err := progress.ParseMode(i.c.String("progress"))
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}

	color, err := progress.ParseColor(i.c.String("color"))
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}

	logs, err := progress.ParseLogMode(i.c.String("logs"))
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	if logs == progress.LogsPrefixed && mode == progress.Quiet {
		return nil, usageError("--logs prefixed shows nothing with --progress quiet: omit one of them")
	}

	// attach only follows: stopping it must not affect the run.
	s := &screen{
		quiet: mode == progress.Quiet, standBy: i.c.Command.Name != "attach", closed: make(chan struct{}),
		hint: func(command string, args ...string) hint { return i.hintAgain(command, args) },
	}
	s.printer = progress.New(progress.Config{
		Out: i.Err, Mode: mode, Color: color, Logs: logs,
		Remedy: func(g runstate.Group) string { return i.remedy(s.external.Load(), g) },
	})
	return s, nil
}

// logger prints warnings above the live block, or nothing with --progress quiet.
func (s *screen) logger() *slog.Logger {
	// Errors still appear: they are returned, and printed last.
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

// begin says where the run is kept, unless the user has chosen the place, and starts to fetch logs.
func (s *screen) begin(session *engine.Session) {
	s.external.Store(session.External())
	if !session.External() {
		s.say("%s", session.Conn.Note)
	}

	service := runs.New(session)
	s.logs = newLiveLogs(service, s.printer)
	s.helpers.Go(func() { s.logs.show(s.closed) })
	s.helpers.Go(func() { s.followFleet(service) })
}

// followFleet reads once a second what explains why ready stages wait.
func (s *screen) followFleet(service *runs.Service) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.closed:
			return
		}
		s.readFleet(service)
	}
}

// Close restores the terminal. It may be called several times. A closed terminal is not an error.
func (s *screen) Close() error {
	// The goroutine ends first: it must not print below the result.
	s.once.Do(func() { close(s.closed) })
	s.helpers.Wait()
	return ignoreClosed(s.printer.Close())
}

func (s *screen) observe(run *runstate.Run, e runs.Entry) {
	s.run.Store(run.ID)
	s.finished.Store(run.DAG.Finished())
	s.reasons.ready.Store(int64(run.DAG.Count(dag.Ready)))
	s.printer.Observe(run, e)
	s.logs.observe(run, e)
}

// showRole says what this process does for the run, when that changes. The coordinator is that of
// another process, or empty if there is none.
func (s *screen) showRole(role engine.Role, coordinator string) {
	before, _ := s.role.Swap(role).(engine.Role)
	if role == before {
		return
	}

	switch role {
	case engine.Ended:
		s.say("the run has already finished: showing its result")
	case engine.Follows:
		s.showFollowing(before, coordinator)
	case engine.Waits:
		s.showWaiting(coordinator)
	case engine.Owns:
		// A process that owns the run from the start has nothing to explain.
		if before != "" {
			s.say("the coordinator of the run is dead: resuming the run here")
		}
	}
}

func (s *screen) showFollowing(before engine.Role, coordinator string) {
	switch {
	case before == engine.Owns:
		s.say("%s has taken over the run: following it", coordinator)
	case s.standBy:
		// A lease lasts up to 3 s after the death of its holder, so it does not tell which is true.
		s.say("%s drives this run, or did until a moment ago: following it, and taking over if that coordinator is dead",
			coordinator)
	case before == engine.Waits:
		s.say("%s drives the run now", coordinator)
	}
}

func (s *screen) showWaiting(coordinator string) {
	if coordinator == "" {
		s.say("no coordinator has taken the run yet: start one with %s, or run it here with %s",
			s.hint("serve"), s.hintForRun("resume"))
		return
	}
	s.say("stalled: the coordinator %s of the run is dead; resume the run with %s", coordinator, s.hintForRun("resume"))
}

// hintForRun returns a command of this program for the run.
func (s *screen) hintForRun(command string) hint {
	id, _ := s.run.Load().(runs.ID)
	// No entry has been read yet, so the ID is not known here.
	if id == "" {
		id = runs.Latest
	}
	return s.hint(command, string(id))
}

// follows reports whether another process owns the run.
func (s *screen) follows() bool {
	part, _ := s.role.Load().(engine.Role)
	return part == engine.Follows || part == engine.Waits
}

// announceStop says what the first signal does.
func (s *screen) announceStop(why interrupted, grace time.Duration) {
	// The run belongs to another process, or soon will: it must not be cancelled.
	if s.follows() || why.handOver {
		s.say("%s: exiting; the run continues: follow it with %s, stop it with %s",
			signalName(why.signal), s.hintForRun("attach"), s.hintForRun("cancel"))
		return
	}
	s.say("%s: cancelling the run; running stages have %s to stop (once more: kill them)", signalName(why.signal), grace)
}

// announceExit says what happens to a run that this process does not wait for.
func (s *screen) announceExit() {
	switch {
	case s.finished.Load():
		s.say("exiting; the run has finished, and its remaining processes are being killed")
	case s.follows():
		s.say("exiting; the run continues")
	default:
		s.say("exiting; the run is still active: finish it with %s", s.hintForRun("resume"))
	}

	s.printer.Close() // an error cannot be shown any more: the process exits now
}
