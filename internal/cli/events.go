package cli

import (
	"bufio"
	"context"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

func defineEvents(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "events", Usage: "print the journal of a run, as one JSON object per line", ArgsUsage: "[RUN]", Description: readRunHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "print new events until the run has finished"}},
		Action: p.action(showEvents),
	}
}

func showEvents(i invocation) error {
	word, err := i.runWord(1)
	if err != nil {
		return err
	}

	return i.read(func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		service := runs.New(s)
		found, err := i.findRun(ctx, service, word)

		// The events before the unreadable entry are printed: they help to find out what happened.
		if err != nil && !runs.Unreadable(err) {
			return err
		}
		return i.printEvents(ctx, service, found.ID, out)
	})
}

func (i invocation) printEvents(ctx context.Context, s *runs.Service, id runs.ID, out *bufio.Writer) error {
	follow := i.c.Bool("follow")
	options := runs.EventOptions{Follow: follow, OnStalled: func() {
		fmt.Fprintf(i.Err, "%s: no coordinator owns run %s; waiting for one\n", i.Name, id)
	}}

	var buf []byte
	for events, err := range s.Events(ctx, id, options) {
		if err != nil {
			return err
		}

		for _, e := range events {
			buf = e.Append(buf[:0])
			out.Write(buf) // a bufio.Writer keeps its first error for Flush
		}

		// A reader that follows must see each entry at once; without --follow the buffer is flushed
		// when it is full.
		if !follow {
			continue
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("print events: %w", err)
		}
	}

	return nil
}
