package cli

import (
	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
)

func defineAttach(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "attach", Usage: "follow a run until it has finished", ArgsUsage: "[RUN]",
		Description: "It shows what run shows, and exits with the exit code of the run.\n" +
			"Ctrl-C stops this command and does not affect the run. " + readRunHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(), outFlag(), progressFlag(), logsFlag(), colorFlag()},
		Action: p.action(func(i invocation) error {
			// Without driving flags: attach never becomes the coordinator.
			f := &foreground{invocation: i}
			return f.onRun((*engine.Session).Attach)
		}),
	}
}
