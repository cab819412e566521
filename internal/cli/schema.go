package cli

import (
	"bufio"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/pipefile"
)

func defineSchema(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "schema", Usage: "print the JSON Schema of pipeline files, for editors",
		Action: p.action(func(i invocation) error {
			if err := i.noArguments(); err != nil {
				return err
			}

			schema, err := pipefile.Schema()
			if err != nil {
				return err
			}

			return i.print(func(out *bufio.Writer) error {
				_, err := out.Write(schema)
				return err
			})
		}),
	}
}
