package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
)

// completeWord is the first argument of a completion script's request for candidates.
const completeWord = "__complete"

// completionRequest returns the words of a request. The last word is the one to complete.
func completionRequest(args []string) ([]string, bool) {
	if len(args) == 0 || args[0] != completeWord {
		return nil, false
	}
	if len(args) == 1 {
		return []string{""}, true
	}
	return args[1:], true
}

// Candidates that ask the shell to complete file names itself.
const (
	anyFiles      = ":files"
	pipelineFiles = ":pipelines"
)

// complete prints the candidates for the last word, one per line: a word, or a word, a tab and a
// description.
func (p Program) complete(app *ucli.App, words []string) {
	last := len(words) - 1
	c := completer{app, p.Pipelines}
	for _, candidate := range c.candidates(words[:last], words[last]) {
		// The words that stand for file names pass, because the shell filters the names itself.
		if strings.HasPrefix(candidate, words[last]) || candidate == anyFiles || candidate == pipelineFiles {
			fmt.Fprintln(p.Out, candidate)
		}
	}
}

// completer finds candidates for the next word of a command line.
type completer struct {
	app       *ucli.App
	pipelines []engine.Pipeline
}

// candidates returns the words that may follow before, where part has been typed. Some of them may
// not start with part.
func (c completer) candidates(before []string, part string) []string {
	app := c.app
	l := parseLine(app, before)
	name, _, assigned := strings.Cut(part, "=")
	switch {
	// No candidates: completing words of an unknown command would hide the error.
	case l.unknownCommand:
		return nil
	case l.flag != "":
		return flagValues[l.flag]
	// The shell replaces the whole word, so each candidate repeats the flag.
	case !l.noFlags && assigned && strings.HasPrefix(part, "-"):
		var whole []string
		for _, value := range flagValues[strings.TrimLeft(name, "-")] {
			if value != anyFiles { // the shell would look for files whose names start with the flag
				whole = append(whole, name+"="+value)
			}
		}
		return whole

	case !l.noFlags && strings.HasPrefix(part, "-"):
		return flagNames(l.flags)
	case l.command == nil && len(app.Commands) > 0:
		return commandNames(app)
	case l.command == nil:
		return nil // a program without commands takes flags only
	}

	return c.arguments(l.command.ArgsUsage, l.arguments, before)
}

// line describes the words before the one to complete.
type line struct {
	command        *ucli.Command
	unknownCommand bool
	flags          []ucli.Flag
	flag           string // the flag whose value comes next
	noFlags        bool   // after "--"
	arguments      int
}

func parseLine(app *ucli.App, words []string) line {
	l := line{flags: app.Flags}
	for _, word := range words {
		switch {
		case l.flag != "":
			l.flag = ""
		case l.noFlags:
			l.arguments++
		case word == "--":
			l.noFlags = true
		case len(word) > 1 && word[0] == '-':
			// The next word is then a value, even if it starts with a dash.
			if takesValue(l.flags, word) {
				l.flag = strings.TrimLeft(word, "-")
			}
		case l.command == nil && len(app.Commands) > 0:
			if l.command = app.Command(word); l.command == nil {
				l.unknownCommand = true
				return l
			}
			l.flags = l.command.Flags

		default:
			l.arguments++
		}
	}

	return l
}

// flagValues are the possible values of flags that have a fixed set of them.
var flagValues = map[string][]string{
	"output":   {"text", "json"},
	"color":    {"auto", "always", "never"},
	"progress": {"auto", "tty", "plain", "json", "quiet"},
	"format":   {"dot", "svg", "mermaid", "ascii", "json"},
	"values":   {"redis", "memory", "disk"},
	"state":    api.RunStates(),
	"home":     {anyFiles},
	"out":      {anyFiles},
	"svg":      {anyFiles},
	"o":        {anyFiles},
}

func flagNames(flags []ucli.Flag) []string {
	names := []string{"--help\tprint help"}
	for _, f := range flags {
		usage := ""
		if doc, ok := f.(ucli.DocGenerationFlag); ok {
			// Backquotes mark the name of the value for the help.
			usage = strings.ReplaceAll(doc.GetUsage(), "`", "")
		}
		if v, ok := f.(ucli.VisibleFlag); ok && v.IsVisible() {
			names = append(names, "--"+f.Names()[0]+"\t"+usage)
		}
	}

	return names
}

func commandNames(app *ucli.App) (names []string) {
	for _, c := range app.Commands {
		if !c.Hidden {
			names = append(names, c.Name+"\t"+c.Usage)
		}
	}
	return names
}

// arguments returns candidates for the argument after the first n, by the usage of the command.
// There, TARGET, RUN and FILE stand for values; lower-case words stand for themselves.
func (c completer) arguments(usage string, n int, before []string) (all []string) {
	kinds := strings.Fields(usage)
	// An argument with dots may be repeated: the last kind fits all further arguments.
	if len(kinds) > 0 && strings.HasSuffix(kinds[len(kinds)-1], "...") {
		n = min(n, len(kinds)-1)
	}

	if n >= len(kinds) {
		return nil
	}

	for kind := range strings.SplitSeq(strings.Trim(kinds[n], "[]."), "|") {
		switch kind {
		case "TARGET":
			for _, q := range c.pipelines {
				all = append(all, q.Spec.Name)
			}
			all = append(all, pipelineFiles)

		case "FILE":
			all = append(all, pipelineFiles)
		case "RUN":
			all = append(all, recentRuns(before)...)
		default:
			if kind == strings.ToLower(kind) {
				all = append(all, kind)
			}
		}
	}

	return all
}

// completionTime is how long completion waits for Redis. A shell is blocked while it waits.
const completionTime = 300 * time.Millisecond

// recentRuns returns run IDs if Redis is reachable and fast. It never starts a Redis.
func recentRuns(words []string) []string {
	// Flags come from the raw words, since an incomplete line cannot be parsed by urfave/cli.
	redis := givenFlag(words, redisFlag())
	if redis == "" {
		if redis = privateRedis(givenFlag(words, homeFlag())); redis == "" {
			return nil
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()

	// Errors are dropped: a message would be printed into the command line that the user types.
	session, err := engine.Open(ctx, engine.Config{Redis: redis})
	if err != nil {
		return nil
	}
	defer session.Close()

	// More candidates would not fit on a screen.
	const most = 50
	list, err := runs.New(session).Newest(ctx, most)
	if err != nil || len(list) == 0 {
		return nil
	}

	// Newest is used and not List, which would first remove expired runs.
	ids := []string{runs.Latest}
	for _, r := range list {
		ids = append(ids, fmt.Sprintf("%s\t%s, %s", r.ID, r.State, moment(r.Submitted, time.Now())))
	}
	return ids
}

// givenFlag returns the value of a flag among the words, or else in the environment.
func givenFlag(words []string, f *ucli.StringFlag) string {
	// From the right, because urfave/cli uses the last value of a repeated flag.
	for i, word := range slices.Backward(words) {
		name, value, assigned := strings.Cut(word, "=")
		if name != "--"+f.Name && name != "-"+f.Name {
			continue
		}
		if !assigned && i+1 < len(words) {
			value = words[i+1]
		}
		return value
	}

	for _, name := range f.EnvVars {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}

	return ""
}

// privateRedis returns the URL of the private Redis of a state folder, or "" if none runs.
func privateRedis(home string) string {
	if home == "" {
		home = engine.Home()
	}

	home, err := filepath.Abs(home)
	if err != nil {
		return ""
	}

	// The socket is looked for and not dialled: opening the state folder would start a Redis.
	socket := filepath.Join(home, "redis", "redis.sock")
	if _, err := os.Stat(socket); err != nil {
		return ""
	}

	return (&url.URL{Scheme: "unix", Path: socket}).String()
}
