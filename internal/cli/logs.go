package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

func defineLogs(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "logs", Usage: "print the captured output of stages", ArgsUsage: "[RUN [STAGE]]",
		Description: readRunHelp + "\nWithout STAGE it prints the output of all stages, each line after the name of its stage.",
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "print new lines until the stage or the run has finished"},
			&ucli.UintFlag{Name: "attempt", Usage: "print the output of attempt `N`, from 1 (default: the last)"}},
		Action: p.action(showLogs),
	}
}

func showLogs(i invocation) error {
	c := i.c
	return i.readRun(2, func(ctx context.Context, s *runs.Service, found runs.Summary, out *bufio.Writer) error {
		command := logsCommand{i, s, out}
		if c.Bool("follow") {
			return command.follow(ctx, found.ID)
		}

		run, err := s.Load(ctx, found.ID)
		if err != nil {
			return err
		}

		l := logPrinter{run: run, service: s, attempt: c.Uint("attempt"), out: out, harmless: i.onTerminal()}
		if c.NArg() == 2 {
			return command.stage(ctx, l, c.Args().Get(1))
		}

		return l.printSome(ctx, runs.Printed(run))
	})
}

// logsCommand is one execution of logs.
type logsCommand struct {
	invocation
	service *runs.Service
	out     *bufio.Writer
}

// follow prints lines while stages print them. Lines of several stages start with the name of
// their stage.
func (l logsCommand) follow(ctx context.Context, id runs.ID) error {
	if l.c.IsSet("attempt") {
		return usageError("--attempt selects a finished attempt: omit it, or --follow")
	}

	name := l.c.Args().Get(1)
	harmless := l.onTerminal()

	err := l.service.FollowLogs(ctx, id, name, func(line runs.Line) error {
		text := string(line.Text)
		if harmless {
			text = seen(text)
		}

		if line.Stage != name {
			text = line.Stage + " | " + text
		}

		if _, err := l.out.WriteString(text + "\n"); err != nil {
			return err
		}

		return l.out.Flush() // a reader that follows must see each line at once
	})

	var unknown *runs.UnknownStageError
	if errors.As(err, &unknown) {
		return &exitError{exitUsage, err}
	}

	return err
}

// stage prints the log of one stage as it is, or those of the instances of a mapped stage.
func (l logsCommand) stage(ctx context.Context, printer logPrinter, name string) error {
	run := printer.run
	stage, err := runs.Stage(run, name)
	if err != nil {
		return l.unknownStage(run, err)
	}
	if family := slices.Collect(run.WithInstances(stage)); len(family) > 1 {
		return printer.printSome(ctx, family)
	}

	last := run.NewestAttempt(stage)
	switch {
	case last == 0:
		fmt.Fprintf(l.Err, "stage %s was not executed: it is %s\n", name, run.DAG.State(stage))
		return nil
	case printer.attempt > uint(last):
		return usageError("stage %q has no attempt %d: its last is %d", name, printer.attempt, last)
	}

	printed, err := printer.print(ctx, stage, "")
	if err != nil || printed {
		return err
	}
	return l.explainSilence(ctx, printer, stage)
}

// explainSilence says that an attempt printed nothing, and which earlier attempt did: the output
// that tells why a stage failed is often that of its first attempt.
func (l logsCommand) explainSilence(ctx context.Context, printer logPrinter, stage dag.StageID) error {
	run := printer.run
	name := run.Name(stage)
	last := run.NewestAttempt(stage)

	// The user has chosen the attempt, so another one is not of interest.
	if printer.attempt > 0 {
		fmt.Fprintf(l.Err, "attempt %d of stage %s printed nothing\n", printer.attempt, name)
		return nil
	}

	for attempt := last - 1; attempt > 0; attempt-- {
		log, err := l.service.Log(ctx, run.ID, stage, attempt)
		if err != nil {
			return err
		}
		if len(log) == 0 {
			continue
		}

		lines := bytes.Count(bytes.TrimSuffix(log, []byte("\n")), []byte("\n")) + 1
		again := l.hint("logs", []string{string(run.ID), name}, "--attempt", strconv.Itoa(int(attempt)))
		fmt.Fprintf(l.Err, "attempt %d of stage %s has printed nothing; attempt %d printed %s: %s\n",
			last, name, attempt, count(lines, "line", "lines"), again)
		return nil
	}

	fmt.Fprintf(l.Err, "stage %s printed nothing\n", name)
	return nil
}

// unknownStage says where the stages of a run are listed, unless the error has a suggestion.
func (l logsCommand) unknownStage(run *runstate.Run, err error) error {
	var unknown *runs.UnknownStageError
	if errors.As(err, &unknown) && unknown.Near != "" {
		return &exitError{exitUsage, err}
	}
	return usageError("%w: %s lists them", err, l.hint("status", []string{string(run.ID)}, "--stages"))
}

// logPrinter prints captured output, one stage after the other.
type logPrinter struct {
	run      *runstate.Run
	service  *runs.Service
	attempt  uint // 0: the last
	out      *bufio.Writer
	harmless bool // without control characters, for a terminal
}

// printSome prints the output of several stages, each line after the name of its stage.
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
	attempt := l.run.NewestAttempt(s)
	if l.attempt > 0 {
		attempt = dag.Attempt(min(l.attempt, 1<<16-1)) // a number out of range has no log
	}

	log, err := l.service.Log(ctx, l.run.ID, s, attempt)
	if err != nil || len(log) == 0 {
		return false, err
	}

	// Into a file or pipe goes exactly what the stage has printed.
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

// seen returns the part of a line that a terminal would show, such as the last state of a progress
// bar, without control characters.
func seen(line string) string { return printable(term.Visible(line)) }

// tail returns the last lines of a log, as a terminal would show them.
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
