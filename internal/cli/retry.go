package cli

import (
	"context"
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runstate"
)

func (p Program) retryCommand() *ucli.Command {
	return &ucli.Command{
		Name: "retry", Usage: "execute again what failed in a run that has ended, and all that comes after it", ArgsUsage: "RUN",
		Description: "What is good stays as it is. The run goes on under its id, with the stages that it had when it was submitted. " + runHelp,
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "stage", Usage: "execute `STAGE` again, and all that comes after it, whatever became of it"},
		}, drivingFlags()...),
		Action: p.retry,
	}
}

func (p Program) retry(c *ucli.Context) error {
	options, err := drivingOptions(c)
	if err != nil {
		return err
	}

	return p.onRun(c, options, func(session *engine.Session, ctx context.Context, o engine.RunOptions) (*runstate.Run, error) {
		run, err := session.Retry(ctx, o, c.String("stage"))
		if errors.Is(err, engine.ErrGoesOn) {
			err = fmt.Errorf("%w: follow it with %s, or go on with it with %s if nobody drives it",
				err, p.hint(c, "attach", []string{string(o.ID)}), p.hintAgain(c, "resume", []string{string(o.ID)}))
		}
		return run, err
	})
}
