package cli

import (
	"bufio"
	"context"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

func defineStatus(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "status", Usage: "show which stages of a run are running, failed or waiting, and why", ArgsUsage: "[RUN]", Description: readRunHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.BoolFlag{Name: "stages", Usage: "list every stage as well"}, outFlag(), colorFlag()},
		Action: p.action(showStatus),
	}
}

func showStatus(i invocation) error {
	form, err := i.form()
	if err != nil {
		return err
	}
	// The JSON of a status must stay small: a run may have a million stages.
	if form.json && i.c.Bool("stages") {
		return usageError("--stages is for text: %s lists every stage with its state", i.hint("graph", []string{"RUN"}, "--format", "json"))
	}

	return i.readRun(1, func(ctx context.Context, s *runs.Service, found runs.Summary, out *bufio.Writer) error {
		status, err := s.Status(ctx, found)
		if err != nil {
			return err
		}
		if form.json {
			return printStatusJSON(ctx, i, s, status, out)
		}

		t := &statusText{Status: status, out: out, form: form, invocation: i, service: s}
		return t.print(ctx, i.c.Bool("stages"))
	})
}

func printStatusJSON(ctx context.Context, i invocation, s *runs.Service, status *runs.Status, out *bufio.Writer) error {
	outputs, err := s.Outputs(ctx, status.Run, runstate.AnySize)
	if err != nil {
		// Values in the memory of another process cannot be read. The rest of the status can.
		fmt.Fprintf(i.Err, "%s: some outputs are missing: %s\n", i.Name, printable(err.Error()))
	}

	form := status.API(s.Redis().Kind)
	form.Outputs = outputs
	return printJSON(out, form)
}
