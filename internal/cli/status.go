package cli

import (
	"bufio"
	"context"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

func (p Program) statusCommand() *ucli.Command {
	return &ucli.Command{
		Name: "status", Usage: "show what runs, what failed and why, and what waits in a run", ArgsUsage: "RUN", Description: runHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.BoolFlag{Name: "stages", Usage: "list every stage as well"}, outFlag(), colorFlag()},
		Action: p.status,
	}
}

func (p Program) status(c *ucli.Context) error {
	form, err := p.form(c)
	if err != nil {
		return err
	}
	if form.json && c.Bool("stages") {
		return usageError("--stages is for text: %s lists every stage with its state", p.hint(c, "graph", []string{"RUN"}, "--format", "json"))
	}

	return p.readRun(c, 1, func(ctx context.Context, s *runs.Service, found runs.Summary, out *bufio.Writer) error {
		status, err := s.Status(ctx, found)
		if err != nil {
			return err
		}
		if form.json {
			return p.printStatusJSON(ctx, s, status, out)
		}
		return p.printStatus(ctx, c, s, &statusText{status, out, form}, c.Bool("stages"))
	})
}

func (p Program) printStatusJSON(ctx context.Context, s *runs.Service, status *runs.Status, out *bufio.Writer) error {
	outputs, err := s.Outputs(ctx, status.Run, runstate.AnySize)
	if err != nil { // such as values that were in the memory of the run's process
		fmt.Fprintf(p.Err, "%s: some outputs are left out: %s\n", p.Name, printable(err.Error()))
	}
	form := status.API(s.Redis().Kind)
	form.Outputs = outputs
	return printJSON(out, form)
}
