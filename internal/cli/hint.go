package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/progress"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/term"
)

// hint is a command of this program that is recommended. A person can copy it into a shell.
type hint struct {
	command string
	masked  bool // there is *** in it in place of a password
}

// String returns the hint as part of a sentence.
func (h hint) String() string {
	if h.masked {
		return "`" + h.command + "` (replace *** with the password)"
	}
	return "`" + h.command + "`"
}

// next returns the hint as a line after a label.
func (h hint) next(what string) progress.Hint {
	if h.masked {
		what += " (replace *** with the password)"
	}
	return progress.Hint{What: what, Command: h.command}
}

// placeFlags say which Redis and which state a command uses. Hints repeat them.
var placeFlags = []string{"redis", "home", "key-file"}

// hint returns a command of this program that finds the same Redis and state as the command of c,
// which may be nil. All hints are made here.
func (p Program) hint(c *ucli.Context, command string, args []string, flags ...string) hint {
	masked := false
	if c != nil {
		for _, name := range placeFlags {
			value := given(c, name)
			if value == "" || !takes(c.App, command, name) {
				continue
			}
			if name == "redis" {
				value, masked = redisx.Mask(value)
			}
			flags = append(slices.Clip(flags), "--"+name, value)
		}
	}

	words := []string{p.Call}
	if command != "" {
		words = append(words, command)
	}

	dash := slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if dash { // it would be taken for a flag
		words = append(append(append(words, quoteAll(flags)...), "--"), quoteAll(args)...)
	} else {
		words = append(append(words, quoteAll(args)...), quoteAll(flags)...)
	}

	return hint{strings.Join(words, " "), masked}
}

// hintAgain is [Program.hint] for a command that is to drive a run as the command of c does: with
// the same workers and pace.
func (p Program) hintAgain(c *ucli.Context, command string, args []string) hint {
	var flags []string
	for _, name := range []string{"concurrency", "workers", "grace", "batch", "no-worker-timeout", "no-fuse", "keep", "values", "params"} {
		switch {
		case !c.IsSet(name) || !takes(c.App, command, name):
		case c.Value(name) == true:
			flags = append(flags, "--"+name)
		default:
			flags = append(flags, "--"+name, fmt.Sprint(c.Value(name)))
		}
	}

	if words, ok := c.Generic("param").(*texts); ok && takes(c.App, command, "param") {
		for _, word := range *words {
			flags = append(flags, "--param", word)
		}
	}

	return p.hint(c, command, args, flags...)
}

// hintWorker is the hint that starts a worker for a queue.
func (p Program) hintWorker(c *ucli.Context, queue string) hint {
	if queue == spec.DefaultQueue {
		return p.hint(c, "worker", nil)
	}
	return p.hint(c, "worker", nil, "--queue", queue)
}

// given returns the value of a text flag, unless the environment of the next command has it too.
func given(c *ucli.Context, name string) string {
	value := c.String(name)
	for _, f := range c.Command.Flags {
		text, ok := f.(*ucli.StringFlag)
		if !ok || text.Name != name {
			continue
		}

		for _, variable := range text.EnvVars {
			if os.Getenv(variable) == value {
				return ""
			}
		}
	}

	return value
}

// takes reports whether a command has a flag.
func takes(app *ucli.App, command, flag string) bool {
	c := app.Command(command)
	return c != nil && slices.ContainsFunc(c.Flags, func(f ucli.Flag) bool { return slices.Contains(f.Names(), flag) })
}

func quoteAll(words []string) []string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellWord(word)
	}
	return quoted
}

// shellWord quotes a word for a POSIX shell if it needs to be. What a terminal must not be shown,
// and line ends, which a log would not leave as they are, are written for printf; it is the shell
// that loses line ends at the end of a word.
func shellWord(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@%+,"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	if term.Clean(word) == word {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}

	var format strings.Builder
	for _, b := range []byte(word) {
		switch {
		case b == '%':
			format.WriteString("%%")
		case b == ' ' || b != '-' && strings.IndexByte(plain, b) >= 0:
			format.WriteByte(b)
		default:
			fmt.Fprintf(&format, `\%03o`, b)
		}
	}

	return `"$(printf '` + format.String() + `')"`
}
