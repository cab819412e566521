package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

func (p Program) logsCommand() *ucli.Command {
	return &ucli.Command{
		Name: "logs", Usage: "print what stages printed", ArgsUsage: "RUN [STAGE]",
		Description: runHelp + "\nWithout STAGE the output of all stages is printed, each line after the name of its stage.",
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "print lines as they come, until the stage or the run is finished"},
			&ucli.UintFlag{Name: "attempt", Usage: "print the output of attempt `N`, from 1 (default: the last)"}},
		Action: p.logs,
	}
}

func (p Program) logs(c *ucli.Context) error {
	return p.readRun(c, 2, func(ctx context.Context, s *runs.Service, found runs.Summary, out *bufio.Writer) error {
		if c.Bool("follow") {
			return p.followLogs(ctx, c, s, found.ID, out)
		}

		run, err := s.Load(ctx, found.ID)
		if err != nil {
			return err
		}

		l := logPrinter{run: run, service: s, attempt: c.Uint("attempt"), out: out, harmless: p.onTerminal()}
		if c.NArg() == 2 {
			return p.stageLog(ctx, c, l, c.Args().Get(1))
		}

		return l.printSome(ctx, runs.Printed(run))
	})
}

// followLogs prints lines while stages print them; those of several stages each after the name of
// its stage.
func (p Program) followLogs(ctx context.Context, c *ucli.Context, s *runs.Service, id runs.ID, out *bufio.Writer) error {
	if c.IsSet("attempt") {
		return usageError("--attempt is for what was printed already: leave it out, or --follow")
	}

	name := c.Args().Get(1)
	harmless := p.onTerminal()

	err := s.FollowLogs(ctx, id, name, func(l runs.Line) error {
		text := string(l.Text)
		if harmless {
			text = seen(text)
		}

		if l.Stage != name {
			text = l.Stage + " | " + text
		}

		if _, err := out.WriteString(text + "\n"); err != nil {
			return err
		}

		return out.Flush()
	})

	var unknown *runs.UnknownStageError
	if errors.As(err, &unknown) {
		return &exitError{exitUsage, err}
	}

	return err
}

func (p Program) stageLog(ctx context.Context, c *ucli.Context, l logPrinter, name string) error {
	stage, err := runs.Stage(l.run, name)
	if err != nil {
		return p.unknownStage(c, l.run, err)
	}
	if family := slices.Collect(l.run.Family(stage)); len(family) > 1 {
		return l.printSome(ctx, family)
	}

	last := l.run.Begun(stage)
	switch {
	case last == 0:
		fmt.Fprintf(p.Err, "stage %s was not executed: it is %s\n", name, l.run.State.State(stage))
		return nil
	case l.attempt > uint(last):
		return usageError("stage %q has no attempt %d: its last is %d", name, l.attempt, last)
	}

	printed, err := l.print(ctx, stage, "")
	if err == nil && !printed {
		fmt.Fprintf(p.Err, "stage %s printed nothing\n", name)
	}
	return err
}

// unknownStage says where the stages of a run are listed.
func (p Program) unknownStage(c *ucli.Context, run *runstate.Run, err error) error {
	var unknown *runs.UnknownStageError
	if errors.As(err, &unknown) && unknown.Near != "" {
		return &exitError{exitUsage, err}
	}
	return usageError("%w: %s lists them", err, p.hint(c, "status", []string{string(run.ID)}, "--stages"))
}

// logPrinter prints what attempts of stages printed, one at a time.
type logPrinter struct {
	run      *runstate.Run
	service  *runs.Service
	attempt  uint // 0: the last
	out      *bufio.Writer
	harmless bool // for a terminal: without control characters
}

// printSome prints the output of some stages, each line after the name of its stage.
func (l logPrinter) printSome(ctx context.Context, stages []dag.StageID) error {
	for _, s := range stages {
		if _, err := l.print(ctx, s, l.run.Name(s)+" | "); err != nil {
			return err
		}
	}
	return nil
}

// print prints the output of one stage and reports whether there was any.
func (l logPrinter) print(ctx context.Context, s dag.StageID, prefix string) (bool, error) {
	attempt := l.run.Begun(s)
	if l.attempt > 0 {
		attempt = dag.Attempt(min(l.attempt, 1<<16-1))
	}

	log, err := l.service.Log(ctx, l.run.ID, s, attempt)
	if err != nil || len(log) == 0 {
		return false, err
	}

	if prefix == "" && !l.harmless {
		_, err = l.out.Write(log)
		return true, err
	}

	for line := range bytes.Lines(log) {
		text := string(bytes.TrimSuffix(line, []byte("\n")))
		if l.harmless {
			text = seen(text)
		}
		if _, err := l.out.WriteString(prefix + text + "\n"); err != nil {
			return true, err
		}
	}

	return true, nil
}

// seen returns what a person would see of a line of output, harmless to a terminal.
func seen(line string) string { return printable(term.Seen(line)) }

// tail returns the last lines of a log, as they are seen.
func tail(log []byte, most int) []string {
	log = bytes.TrimRight(log, "\r\n")
	var lines []string
	for len(log) > 0 && len(lines) < most {
		start := bytes.LastIndexByte(log, '\n') + 1
		lines = append(lines, seen(string(log[start:])))
		log = log[:max(start-1, 0)]
	}

	slices.Reverse(lines)
	return lines
}
