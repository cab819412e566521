package cli

import (
	"context"
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runstate"
)

func defineRetry(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "retry", Usage: "execute the failed stages of a finished run again, and everything downstream", ArgsUsage: "RUN",
		Description: "Stages that succeeded stay as they are. The run keeps its ID and the stages that were submitted. " + runHelp,
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "stage", Usage: "execute `STAGE` again, whatever its outcome, and everything downstream"},
		}, drivingFlags()...),
		Action: p.action(retry),
	}
}

func retry(i invocation) error {
	options, err := i.drivingOptions()
	if err != nil {
		return err
	}

	f := &foreground{invocation: i, options: options}
	return f.onRun(func(session *engine.Session, ctx context.Context, o engine.RunOptions) (*runstate.Run, error) {
		run, err := session.Retry(ctx, o, i.c.String("stage"))
		// The engine does not know the commands that help.
		if errors.Is(err, engine.ErrActive) {
			// Either may be right: only Redis knows whether the coordinator lives, and that may
			// change.
			id := []string{string(o.ID)}
			err = fmt.Errorf("%w: follow it with %s, or resume it with %s if it has no coordinator",
				err, i.hint("attach", id), i.hintAgain("resume", id))
		}
		return run, err
	})
}
