package cli

import (
	"bufio"
	"fmt"
	"runtime"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/version"
)

func defineVersion(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "version", Usage: "print the version",
		Action: p.action(func(i invocation) error {
			if err := i.noArguments(); err != nil {
				return err
			}
			return i.printVersion()
		}),
	}
}

func (p Program) printVersion() error {
	return p.print(func(out *bufio.Writer) error {
		_, err := fmt.Fprintln(out, versionLine())
		return err
	})
}

func versionLine() string {
	return fmt.Sprintf("godags %s (%s %s/%s)", version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
