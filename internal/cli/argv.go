package cli

import (
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"
)

// arrange moves flags before arguments. urfave/cli would silently treat a flag after the first
// argument as an argument. Words after "--" are arguments.
func arrange(app *ucli.App, args []string) ([]string, error) {
	// The command is the first word that is not a flag.
	command := -1
	flags := app.Flags
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if !strings.HasPrefix(arg, "-") {
			command = i
			break
		}
	}

	// A program that is only a worker has no commands: all its flags belong to the app.
	var head []string
	if command >= 0 && len(app.Commands) > 0 {
		c := app.Command(args[command])
		if c == nil {
			return args, nil // the action of the app reports the unknown command
		}
		head = args[:command+1]
		args = args[command+1:]
		flags = c.Flags
	}

	// urfave/cli stops parsing flags at the first argument, so every flag goes before it.
	var options, words []string
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		case len(arg) < 2 || arg[0] != '-': // "-" alone is an argument: standard output
			words = append(words, arg)
		case arg == "--help" || arg == "-h":
			// Help takes precedence over everything else. urfave/cli would treat an argument as a
			// topic.
			return append(slices.Clip(head), arg), nil
		default:
			options = append(options, arg)
			if !takesValue(flags, arg) {
				continue
			}
			// Checked here, because the "--" that is added below would be taken for the value.
			if i++; i == len(args) {
				return nil, usageError("the flag %s needs a value", arg)
			}
			options = append(options, args[i])
		}
	}

	// The "--" keeps an argument that starts with a dash from being parsed as a flag.
	return slices.Concat(head, options, []string{"--"}, words), nil
}

// takesValue reports whether the word after a flag is its value.
func takesValue(flags []ucli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	// In --flag=value the value is in the same word.
	if strings.Contains(name, "=") {
		return false
	}

	for _, f := range flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		doc, ok := f.(ucli.DocGenerationFlag)
		return ok && doc.TakesValue()
	}

	return false
}
