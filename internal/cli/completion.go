package cli

import (
	"bufio"
	"embed"
	"fmt"
	"strings"

	ucli "github.com/urfave/cli/v2"
)

// scripts are the completion scripts. They ask the program itself for candidates: see
// [Program.complete].
//
//go:embed scripts
var scripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func defineCompletion(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "completion", Usage: "print the script that lets a shell complete commands, flags, pipelines, files and runs",
		ArgsUsage: strings.Join(shells, "|"),
		Description: fmt.Sprintf("bash: source <(%[1]s completion bash)\nzsh:  source <(%[1]s completion zsh)\nfish: %[1]s completion fish | source",
			p.Call),
		Action: p.action(printCompletion),
	}
}

func printCompletion(i invocation) error {
	c := i.c
	if c.NArg() != 1 {
		return usageError("completion needs the name of a shell: %s", c.Command.ArgsUsage)
	}

	// The names of the embedded scripts are the list of shells: any other word has no file.
	script, err := scripts.ReadFile("scripts/completion." + c.Args().First())
	if err != nil {
		return usageError("no completion for the shell %.100q: use %s", c.Args().First(), c.Command.ArgsUsage)
	}

	return i.print(func(out *bufio.Writer) error {
		// The underscore parts the function from commands of the user with the same name.
		names := strings.NewReplacer("PROGRAM", shellWord(i.Name), "FUNCTION", "_"+identifier(i.Name))
		_, err := names.WriteString(out, string(script))
		return err
	})
}

// identifier turns a name into part of the name of a shell function.
func identifier(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}
