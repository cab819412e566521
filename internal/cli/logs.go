package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/cells"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/view"
)

func (p Program) logsCommand() *ucli.Command {
	return &ucli.Command{
		Name: "logs", Usage: "print what stages printed", ArgsUsage: "RUN [STAGE]",
		Description: runHelp + "\nWithout STAGE the output of all stages is printed, each line after the name of its stage.",
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.UintFlag{Name: "attempt", Usage: "print the output of attempt `N`, from 1 (default: the last)"}},
		Action: p.logs,
	}
}

func (p Program) logs(c *ucli.Context) error {
	return p.readRun(c, 2, func(ctx context.Context, s *engine.Session, found journal.Summary, out *bufio.Writer) error {
		run, err := s.View(ctx, found.Run)
		if err != nil {
			return err
		}
		l := logPrinter{run: run, journal: s.Journal, attempt: c.Uint("attempt"), out: out, harmless: p.onTerminal()}
		if c.NArg() == 2 {
			return p.stageLog(ctx, c, l, c.Args().Get(1))
		}
		return l.printAll(ctx)
	})
}

func (p Program) stageLog(ctx context.Context, c *ucli.Context, l logPrinter, name string) error {
	stage, ok := l.run.State.Lookup(name)
	if !ok {
		return p.unknownStage(c, l.run, name)
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

func (p Program) unknownStage(c *ucli.Context, run *view.Run, name string) error {
	names := make([]string, run.Spec.Graph.Len())
	for s := range names {
		names[s] = run.Name(dag.StageID(s))
	}
	if near := nearest.Name(name, names); near != "" {
		return usageError("pipeline %s has no stage %.200q: did you mean %q?", run.Spec.Name, name, near)
	}
	return usageError("pipeline %s has no stage %.200q: `%s` lists them", run.Spec.Name, name, p.hint(c, "status", string(run.ID), "--stages"))
}

// logPrinter prints what attempts of stages printed, one at a time.
type logPrinter struct {
	run      *view.Run
	journal  *journal.Journal
	attempt  uint // 0: the last
	out      *bufio.Writer
	harmless bool // for a terminal: without control characters
}

// printAll prints the output of all stages that printed something, each after what it depends on.
func (l logPrinter) printAll(ctx context.Context) error {
	var stages []dag.StageID
	for _, s := range l.run.Spec.Graph.Topological() {
		for s := range l.run.Family(s) {
			_, active := l.run.Active[s]
			if _, printed := l.run.Notes[s]; printed || active {
				stages = append(stages, s)
			}
		}
	}
	return l.printSome(ctx, stages)
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
	log, err := l.journal.Log(ctx, l.run.ID, journal.Attempted{Stage: s, Attempt: attempt})
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
func seen(line string) string { return printable(cells.Seen(line)) }

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
