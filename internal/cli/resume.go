package cli

import (
	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
)

func defineResume(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "resume", Usage: "resume a run whose coordinator has died", ArgsUsage: "RUN",
		Description: "Stages that have succeeded are not executed again. Stages that were running continue if their worker lives.\n" +
			"A run that has a live coordinator is followed, and taken over if that coordinator dies. " + runHelp,
		Flags:  drivingFlags(),
		Action: p.action(resume),
	}
}

func resume(i invocation) error {
	options, err := i.drivingOptions()
	if err != nil {
		return err
	}

	f := &foreground{invocation: i, options: options}
	return f.onRun((*engine.Session).Resume)
}
