package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/progress"
	"github.com/godags/godags/internal/view"
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
		found, err := p.findRun(ctx, c, s, word)
		if err != nil && !errors.Is(err, journal.ErrDamaged) { // what comes before the damage is printed
			return err
		}
		sp, err := s.Spec(ctx, found.Run)
		if err != nil {
			return err
		}
		return p.printEvents(ctx, s.Journal, view.New(found.Run, sp), out, c.Bool("follow"))
	})
}

// followWait is how long one request waits for the next event, and so how long a signal may have to wait.
const followWait = 500 * time.Millisecond

func (p Program) printEvents(ctx context.Context, j *journal.Journal, run *view.Run, out *bufio.Writer, follow bool) error {
	var buf []byte
	encoder, wait, warned := progress.NewEncoder(run), time.Duration(0), false
	for { // a run that was reopened has gone on after its end
		n, err := run.Follow(ctx, j, wait, func(e journal.Entry) {
			buf = encoder.Append(buf[:0], e)
			out.Write(buf) // if it fails, so does Flush
		})
		if err != nil {
			return lost(err)
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("print events: %w", err)
		}
		switch {
		case n > 0:
			warned = false
		case !follow || run.State.Finished():
			return nil
		case wait == 0:
			wait = followWait
		case !warned:
			if warned, err = p.warnIfStalled(ctx, j, run.ID); err != nil {
				return err
			}
		}
	}
}

// warnIfStalled says so if there may be nothing to wait for.
func (p Program) warnIfStalled(ctx context.Context, j *journal.Journal, id journal.RunID) (bool, error) {
	s, err := j.Summary(ctx, id)
	if err != nil || !isUndriven(s.State) {
		return false, lost(err)
	}
	fmt.Fprintf(p.Err, "%s: nobody drives run %s; waiting for a coordinator\n", p.Name, id)
	return true, nil
}

// lost says that a run which was there a moment ago is gone.
func lost(err error) error {
	if errors.Is(err, journal.ErrGone) {
		return fmt.Errorf("%w: %w", engine.ErrStateLost, err)
	}
	return err
}
