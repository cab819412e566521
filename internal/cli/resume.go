package cli

import (
	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
)

func (p Program) resumeCommand() *ucli.Command {
	return &ucli.Command{
		Name: "resume", Usage: "go on with a run whose coordinator is gone", ArgsUsage: "RUN",
		Description: "What has succeeded is not executed again. What ran when the coordinator died goes on if its worker lives.\n" +
			"A run that another coordinator drives is followed, and taken over if that coordinator dies. " + runHelp,
		Flags: drivingFlags(), Action: p.resume,
	}
}

func (p Program) resume(c *ucli.Context) error {
	options, err := drivingOptions(c)
	if err != nil {
		return err
	}
	return p.onRun(c, options, (*engine.Session).Resume)
}
