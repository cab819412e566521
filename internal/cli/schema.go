package cli

import (
	"bufio"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/pipefile"
)

func (p Program) schemaCommand() *ucli.Command {
	return &ucli.Command{
		Name: "schema", Usage: "print the JSON Schema of pipeline files, for editors",
		Action: func(c *ucli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}

			schema, err := pipefile.Schema()
			if err != nil {
				return err
			}

			return p.print(func(out *bufio.Writer) error {
				_, err := out.Write(schema)
				return err
			})
		},
	}
}
