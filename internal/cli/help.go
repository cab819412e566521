package cli

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/term"
)

// groups are the commands in the order of the help.
var groups = []struct {
	title    string
	commands []string
}{
	{"Run", []string{"pipelines", "run", "resume", "retry", "attach", "cancel"}},
	{"Inspect", []string{"runs", "status", "events", "logs", "timeline", "graph"}},
	{"Write", []string{"init", "validate", "schema"}},
	{"Serve", []string{"serve", "worker", "workers", "doctor"}},
	{"Set up", []string{"completion", "version"}},
}

// examples has an example for each command.
var examples = map[string]string{
	"pipelines":  "pipelines",
	"run":        "run pipeline.yaml --concurrency 4 --param rows=100",
	"resume":     "resume latest",
	"retry":      "retry latest --stage train",
	"attach":     "attach latest",
	"cancel":     "cancel latest",
	"runs":       "runs --state failed --limit 5",
	"status":     "status latest --stages",
	"events":     "events latest --follow",
	"logs":       "logs latest train",
	"timeline":   "timeline --svg run.svg",
	"graph":      "graph latest --out run.svg",
	"init":       "init my-pipeline",
	"validate":   "validate pipeline.yaml",
	"schema":     "schema > pipeline.schema.json",
	"serve":      "serve --redis redis://10.0.0.5:6379",
	"worker":     "worker --redis redis://10.0.0.5:6379 --queue gpu",
	"workers":    "workers --redis redis://10.0.0.5:6379",
	"doctor":     "doctor --redis redis://10.0.0.5:6379",
	"completion": "completion zsh",
	"version":    "version",
}

var exitCodes = [][2]string{
	{"0", "all stages succeeded, or the command succeeded"},
	{"1", "a stage failed, or there was an error without another code"},
	{"2", "wrong usage, an invalid pipeline, or an unknown run"},
	{"3", "Redis is unreachable or has lost the run, or no worker came in time"},
	{"4", "another process cancelled the run"},
	{"124", "the run exceeded its time limit"},
	{"129", "the terminal was closed (SIGHUP)"},
	{"130", "interrupted (Ctrl-C)"},
	{"143", "terminated (SIGTERM)"},
}

// page prints a help text. It is as wide as the terminal, up to pageWidth.
type page struct {
	out *bufio.Writer
	form
}

const pageWidth = 100

func (p Program) showHelp(show func(page)) error {
	// Longer lines are hard to read, however wide the terminal is.
	width := pageWidth
	if columns := p.columns(); columns > 0 {
		width = min(columns, pageWidth)
	}
	return p.print(func(out *bufio.Writer) error {
		show(page{out, form{width: width}})
		return nil
	})
}

// helpFor prints the help that args ask for, and reports whether they ask for help. The args are
// those that [arrange] returns.
func (p Program) helpFor(app *ucli.App, args []string) (asked bool, err error) {
	if n := len(args); n == 0 || n > 2 || args[n-1] != "--help" && args[n-1] != "-h" {
		return false, nil
	}

	// arrange reduces a request for help to at most a command and the flag.
	if len(args) == 1 {
		return true, p.showHelp(func(h page) { h.app(app) })
	}

	c := app.Command(args[0])
	// The action of the app reports the unknown command.
	if c == nil {
		return false, nil
	}

	return true, p.showHelp(func(h page) { h.command(app.Name, c) })
}

func (h page) app(app *ucli.App) {
	h.say(app.Name + " " + app.Usage + ".")
	if len(app.Commands) == 0 { // a program that is only a worker
		h.about(app.Name+" [flags]", app.Description)
		h.example(app.Name + strings.TrimPrefix(examples["worker"], "worker"))
		h.flags(app.Flags)
		h.section("Exit codes", exitCodes)
		return
	}

	h.about(app.Name+" COMMAND [flags] [arguments]", "For example: "+app.Name+" run pipeline.yaml")
	for _, g := range groups {
		var rows [][2]string
		for _, name := range g.commands {
			rows = append(rows, [2]string{name, app.Command(name).Usage})
		}
		h.section(g.title, rows)
	}

	h.section("Flags", [][2]string{{"-h, --help", "print this help; after a command, its flags and an example"}, {"--version", "print the version"}})
	h.section("Exit codes", exitCodes)
}

func (h page) command(program string, c *ucli.Command) {
	h.say(strings.ToUpper(c.Usage[:1]) + c.Usage[1:] + ".")
	usage := program + " " + c.Name
	if len(c.Flags) > 0 {
		usage += " [flags]"
	}
	h.about(strings.TrimSpace(usage+" "+c.ArgsUsage), c.Description)
	h.example(program + " " + examples[c.Name])
	h.flags(c.Flags)
}

func (h page) say(text string) { h.paragraph(h.out, "", "", strings.ReplaceAll(text, "\n", " ")) }

func (h page) about(usage, description string) {
	fmt.Fprintf(h.out, "\nUsage: %s\n", usage)
	if description != "" {
		h.out.WriteByte('\n')
		h.say(description)
	}
}

func (h page) example(command string) { fmt.Fprintf(h.out, "\nExample: %s\n", command) }

func (h page) flags(flags []ucli.Flag) {
	var rows [][2]string
	for _, f := range flags {
		if v, ok := f.(ucli.VisibleFlag); ok && v.IsVisible() {
			rows = append(rows, describe(f.(ucli.DocGenerationFlag), f.Names()))
		}
	}

	if len(rows) > 0 {
		h.section("Flags", rows)
	}
}

// describe returns a flag with the name of its value, and its description.
func describe(f ucli.DocGenerationFlag, names []string) [2]string {
	name := "--" + names[0]
	for _, alias := range names[1:] {
		name = "-" + alias + ", " + name
	}

	// In the usage, the name of the value is between backquotes: `N`.
	usage := f.GetUsage()
	if before, value, ok := strings.Cut(usage, "`"); ok && f.TakesValue() {
		value, after, _ := strings.Cut(value, "`")
		name = name + " " + value
		usage = before + value + after
	}

	// Zero values mean "not given", and their usage texts name the default in words.
	if d := strings.Trim(f.GetDefaultText(), `"`); f.TakesValue() && !slices.Contains([]string{"", "0", "0s"}, d) && !strings.Contains(usage, "(default") {
		usage += " (default: " + d + ")"
	}

	if env := f.GetEnvVars(); len(env) > 0 {
		usage += " [$" + env[0] + "]"
	}
	return [2]string{name, usage}
}

// section prints names and their descriptions: side by side if there is room, or else below each
// other.
func (h page) section(title string, rows [][2]string) {
	fmt.Fprintf(h.out, "\n%s:\n", title)
	widest := 0
	for _, row := range rows {
		widest = max(widest, term.Width(row[0]))
	}

	// On a narrow terminal a column of names would leave too little room for the descriptions.
	margin := strings.Repeat(" ", 2+widest+2)
	below := len(margin) > h.width/2
	if below {
		margin = "      "
	}

	for _, row := range rows {
		label := "  " + term.Pad(row[0], widest) + "  "
		if below {
			fmt.Fprintf(h.out, "  %s\n", row[0])
			label = margin
		}
		h.paragraph(h.out, label, margin, row[1])
	}
}
