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

// hint is a command of this program that is recommended to the user, who can copy it into a shell.
type hint struct {
	command string
	masked  bool // it has *** in place of a password
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

// placeFlags name the Redis and the state folder of a command. Hints repeat them.
var placeFlags = []string{"redis", "home", "key-file"}

// hint returns a command of this program.
func (p Program) hint(command string, args []string, flags ...string) hint {
	words := []string{p.Call}
	if command != "" {
		words = append(words, command)
	}

	// An argument that starts with a dash would be parsed as a flag, unless "--" stands before it.
	dash := slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if dash {
		words = append(append(append(words, quoteAll(flags)...), "--"), quoteAll(args)...)
	} else {
		words = append(append(words, quoteAll(args)...), quoteAll(flags)...)
	}

	return hint{command: strings.Join(words, " ")}
}

// hint returns a command of this program that uses the same Redis and state folder as this one.
func (i invocation) hint(command string, args []string, flags ...string) hint {
	masked := false
	for _, name := range placeFlags {
		value := given(i.c, name)
		// A hint with a flag that the command lacks would fail when it is copied.
		if value == "" || !takes(i.c.App, command, name) {
			continue
		}
		if name == "redis" {
			// Hints end up in terminals and in the logs of CI.
			value, masked = redisx.Mask(value)
		}
		flags = append(slices.Clip(flags), "--"+name, value)
	}

	h := i.Program.hint(command, args, flags...)
	h.masked = masked
	return h
}

// hintAgain is hint for a command that drives a run as this one does: with the same workers and
// limits.
func (i invocation) hintAgain(command string, args []string) hint {
	c := i.c
	var flags []string
	for _, name := range []string{"concurrency", "workers", "grace", "batch", "no-worker-timeout", "no-fuse", "keep", "values", "params"} {
		switch {
		// Defaults are left out: they would make the hint long and say nothing.
		case !c.IsSet(name) || !takes(c.App, command, name):
		// A boolean flag takes no value after a space.
		case c.Value(name) == true:
			flags = append(flags, "--"+name)
		default:
			flags = append(flags, "--"+name, fmt.Sprint(c.Value(name)))
		}
	}

	// Each value gets a separate flag: a list with commas could not be parsed again.
	if words, ok := c.Generic("param").(*repeatedTexts); ok && takes(c.App, command, "param") {
		for _, word := range *words {
			flags = append(flags, "--param", word)
		}
	}

	return i.hint(command, args, flags...)
}

// hintWorker returns the command that starts a worker for a queue.
func (i invocation) hintWorker(queue string) hint {
	// A worker listens on this queue by default.
	if queue == spec.DefaultQueue {
		return i.hint("worker", nil)
	}
	return i.hint("worker", nil, "--queue", queue)
}

// given returns the value of a text flag, or "" if the next command finds the same value in its
// environment.
func given(c *ucli.Context, name string) string {
	value := c.String(name)
	for _, f := range c.Command.Flags {
		text, ok := f.(*ucli.StringFlag)
		if !ok || text.Name != name {
			continue
		}

		for _, variable := range text.EnvVars {
			// The next command is started from the same shell.
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

// shellWord quotes a word for a POSIX shell if necessary.
func shellWord(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@%+,"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	if term.Clean(word) == word {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}

	// Control characters must not reach a terminal, and logs change line breaks. So both are
	// written as escapes for printf. A shell drops the last line breaks of such a word: they are
	// lost.
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
