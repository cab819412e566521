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
	if c.NArg() != 1 {
		return usageError("resume takes one RUN, but got %q", c.Args().Slice())
	}
	asJSON, err := asJSON(c)
	if err != nil {
		return err
	}
	options, err := drivingOptions(c)
	if err != nil {
		return err
	}
	return p.withScreen(c, func(session *engine.Session, screen *screen) error {
		found, err := p.findRun(c.Context, session, c.Args().First())
		if err != nil {
			return err
		}
		options.ID = found.Run
		return p.conduct(c, session, screen, options, asJSON, session.Resume)
	})
}
