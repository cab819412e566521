package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

func (p Program) eventsCommand() *ucli.Command {
	return &ucli.Command{
		Name: "events", Usage: "print the journal of a run, as one JSON object per line", ArgsUsage: "RUN", Description: runHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on until the run is finished"}},
		Action: p.events,
	}
}

func (p Program) events(c *ucli.Context) error {
	word, err := runWord(c, 1)
	if err != nil {
		return err
	}

	return p.read(c, func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		service := runs.New(s)
		found, err := p.findRun(ctx, c, service, word)
		// what comes before the damage is printed
		if err != nil && !errors.Is(err, runs.ErrDamaged) {
			return err
		}
		return p.printEvents(ctx, service, found.ID, out, c.Bool("follow"))
	})
}

func (p Program) printEvents(ctx context.Context, s *runs.Service, id runs.ID, out *bufio.Writer, follow bool) error {
	options := runs.EventOptions{Follow: follow, OnStalled: func() {
		fmt.Fprintf(p.Err, "%s: no coordinator owns run %s; waiting for one\n", p.Name, id)
	}}

	var buf []byte
	for events, err := range s.Events(ctx, id, options) {
		if err != nil {
			return err
		}

		for _, e := range events {
			buf = e.Append(buf[:0])
			out.Write(buf) // if it fails, so does Flush
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
