package cli

import (
	"bufio"
	"embed"
	"fmt"
	"strings"

	ucli "github.com/urfave/cli/v2"
)

// scripts ask the program itself what may come next: see [Program.complete].
//
//go:embed scripts
var scripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func (p Program) completionCommand() *ucli.Command {
	return &ucli.Command{
		Name: "completion", Usage: "print a script with which a shell completes commands, flags, pipelines, files and runs",
		ArgsUsage: strings.Join(shells, "|"),
		Description: fmt.Sprintf("bash: source <(%[1]s completion bash)\nzsh:  source <(%[1]s completion zsh)\nfish: %[1]s completion fish | source",
			p.Call),
		Action: p.completion,
	}
}

func (p Program) completion(c *ucli.Context) error {
	if c.NArg() != 1 {
		return usageError("completion needs the name of a shell: %s", c.Command.ArgsUsage)
	}

	script, err := scripts.ReadFile("scripts/completion." + c.Args().First())
	if err != nil {
		return usageError("no completion for the shell %.100q: there is %s", c.Args().First(), c.Command.ArgsUsage)
	}

	return p.print(func(out *bufio.Writer) error {
		_, err := strings.NewReplacer("PROGRAM", shellWord(p.Name), "FUNCTION", "_"+identifier(p.Name)).WriteString(out, string(script))
		return err
	})
}

// identifier makes a name fit for a function of a shell.
func identifier(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}
