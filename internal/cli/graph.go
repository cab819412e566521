package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/picture"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

func defineGraph(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "graph", Usage: "draw a pipeline, or a run with the state of each stage", ArgsUsage: "[TARGET|RUN]",
		Description: "TARGET is a pipeline of this program, a .yaml, .yml or .json file, or a folder with a pipeline.yaml; the default is ./pipeline.yaml, else the first pipeline of this program.\n" +
			"Any other word names a run. " + runHelp,
		Flags: []ucli.Flag{redisFlag(), homeFlag(),
			&ucli.StringFlag{Name: "around", Usage: "draw only `STAGE` and what it depends on or is needed for"},
			&ucli.IntFlag{Name: "depth", Value: 2, Usage: "with --around: as far as `N` dependencies away"},
			&ucli.BoolFlag{Name: "full", Usage: "draw every stage: no groups, however many there are"},
			&ucli.StringFlag{Name: "format", Usage: "draw as `FORMAT`: dot, svg, mermaid, ascii or json (default: by the extension of the file, else ascii)"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the picture to `FILE` in one step; - is standard output"},
			&ucli.BoolFlag{Name: "open", Usage: "show the picture in a viewer; without --out and --format it is an SVG in a temporary file"}},
		Action: p.action(showGraph),
	}
}

func showGraph(i invocation) error {
	c := i.c
	if c.NArg() > 1 {
		return usageError("graph takes one TARGET or RUN, but got %d arguments: %.100q", c.NArg(), c.Args().Slice())
	}

	o, err := parsePictureOptions(c)
	if err != nil {
		return err
	}

	// A pipeline first: drawing it needs no Redis.
	word := c.Args().First()
	sp, err := i.target(word, false)
	if err == nil {
		return i.draw(picture.Input{Name: sp.Name, Graph: sp.Graph}, o)
	}

	// Such a word cannot mean a run.
	if isFile(word) || word == "" {
		return err
	}

	unknown := err
	return i.read(func(ctx context.Context, s *engine.Session, _ *bufio.Writer) error {
		service := runs.New(s)
		found, err := i.findRun(ctx, service, word)

		// The user may have meant either: both errors are shown.
		if exit := (*exitError)(nil); errors.As(err, &exit) {
			return usageError("%w\nAs a run: %w", unknown, err)
		}
		if err != nil {
			return err
		}

		status, err := service.Status(ctx, found)
		if err != nil {
			return err
		}

		in := runPicture(status)
		// Only an SVG has tool tips, and the times in them are read from the whole journal.
		if o.format == picture.SVG {
			if in.Hover, err = stageTips(ctx, service, status); err != nil {
				return err
			}
		}
		return i.draw(in, o)
	})
}

// runPicture returns the graph of a run, with the state of each stage.
func runPicture(status *runs.Status) picture.Input {
	run := status.Run

	// A mapped stage is drawn as one node, so its state sums up those of its instances.
	state := func(s dag.StageID) dag.State {
		state, _ := run.CombinedState(s)
		return state
	}

	in := picture.Input{
		Name:   run.Spec.Name,
		Run:    string(run.ID),
		Graph:  run.Spec.Graph,
		Reason: status.Reasons.Reason,
		State:  state,
		Label:  func(s dag.StageID) string { return stageLabel(run, s) },
		Badge:  func(s dag.StageID) string { return stageBadge(run, s) },
	}

	// Before the end, the path may still change.
	if run.DAG.Finished() {
		in.Path = graphPath(run)
	}
	return in
}

// graphPath returns the critical path with mapped stages in place of their instances.
func graphPath(run *runstate.Run) (stages []dag.StageID) {
	path, _ := run.CriticalPath()
	for _, s := range path {
		if template, _, instance := run.DAG.Instance(s); instance {
			s = template
		}
		stages = append(stages, s)
	}
	return slices.Compact(stages)
}

// stageBadge says how many attempts a stage has had if that is more than one, or how many more its
// instances have had.
func stageBadge(run *runstate.Run, s dag.StageID) string {
	if _, n, ok := run.DAG.Instances(s); ok && n > 0 {
		again := 0
		for i := range run.WithInstances(s) {
			again += max(0, int(run.NewestAttempt(i))-1)
		}
		if again == 0 {
			return ""
		}
		return count(again, "retry", "retries")
	}

	if n := run.NewestAttempt(s); n > 1 {
		return fmt.Sprintf("%d attempts", n)
	}
	return ""
}

// stageTips returns what the tool tip of a stage says: its waits and attempts, and the last line
// that it printed.
func stageTips(ctx context.Context, service *runs.Service, status *runs.Status) (func(dag.StageID) []string, error) {
	run, line, err := service.Timeline(ctx, status.ID)
	if err != nil {
		return nil, err
	}

	tips := make(map[dag.StageID][]string)
	for _, span := range line.Spans(run, status.Now) {
		tips[span.Stage] = append(tips[span.Stage], spanTitle(run, span))
	}

	return func(s dag.StageID) []string {
		lines := tips[s]
		if run.DAG.State(s) == dag.Skipped {
			lines = append(lines, "skipped "+run.WhySkipped(s))
		}
		if note := run.Notes[s]; note != "" {
			lines = append(lines, "last line: "+note)
		}
		return lines
	}, nil
}

// stageLabel returns the second line of a node: how many instances succeeded, or the duration.
func stageLabel(run *runstate.Run, s dag.StageID) string {
	// The duration of a mapped stage is only that of gathering its outputs.
	if _, n, ok := run.DAG.Instances(s); ok {
		_, succeeded := run.CombinedState(s)
		return fmt.Sprintf("%d of %d", succeeded, n)
	}

	// Zero: the stage has not been executed.
	if d := run.LastDuration(s); d > 0 {
		return short(d)
	}
	return ""
}

// pictureOptions are the format and the place of a picture.
type pictureOptions struct {
	format picture.Format
	path   string // "": standard output
	open   bool
	around string // stage; "": everything
	depth  int
	full   bool
}

var pictureExtensions = map[string]picture.Format{
	".dot": picture.DOT, ".gv": picture.DOT, ".svg": picture.SVG, ".mmd": picture.Mermaid, ".mermaid": picture.Mermaid,
	".txt": picture.ASCII, ".json": picture.JSON,
}

func parsePictureOptions(c *ucli.Context) (o pictureOptions, err error) {
	o.path = c.String("out")
	o.open = c.Bool("open")
	if c.IsSet("out") && o.path == "" {
		return o, usageError("--out needs a file name")
	}

	if o.path == "-" {
		o.path = ""
	}

	o.full = c.Bool("full")
	o.around = c.String("around")
	o.depth = c.Int("depth")
	switch {
	case c.IsSet("around") && o.around == "":
		return o, usageError("--around needs the name of a stage")
	case c.IsSet("depth") && !c.IsSet("around"):
		return o, usageError("--depth is how far --around goes: add --around STAGE")
	case o.depth < 0:
		return o, usageError("--depth is a number from 0, not %d", o.depth)
	}

	ext := strings.ToLower(filepath.Ext(o.path))
	byName, known := pictureExtensions[ext]
	switch {
	case c.IsSet("format"):
		if o.format, err = picture.ParseFormat(c.String("format")); err != nil {
			return o, &exitError{exitUsage, err}
		}
	// An explicit --format wins over the extension, even one that contradicts it.
	case known:
		o.format = byName
	// A picture in a format that the file name does not announce would surprise its reader.
	case ext != "":
		return o, usageError("%s: the extension %s has no format: add --format dot, svg, mermaid, ascii or json", o.path, ext)
	// Viewers and browsers show SVG, and none of the other formats as a picture.
	case o.open && o.path == "":
		o.format = picture.SVG
	default:
		o.format = picture.ASCII
	}

	return o, nil
}

func (i invocation) draw(in picture.Input, o pictureOptions) error {
	in.Full = o.full
	if o.around != "" {
		centre, err := stageNamed(in.Graph, o.around)
		if err != nil {
			return err
		}
		if in, err = picture.Around(in, centre, o.depth); err != nil {
			return err
		}
	}

	return i.write(o, func(w io.Writer, width int) error {
		in.Width = width
		return picture.Draw(w, in, o.format)
	})
}

// write writes a picture to its place, and shows it if that was asked for. Only text on a terminal
// has a width to keep to: it is 0 elsewhere.
func (i invocation) write(o pictureOptions, draw func(w io.Writer, width int) error) error {
	write := func(w io.Writer) error { return draw(w, 0) }
	switch {
	case o.path == "" && !o.open:
		return i.print(func(out *bufio.Writer) error { return draw(out, i.columns()) })
	case o.path == "":
		// The file stays: the viewer may read it after this process has exited.
		f, err := os.CreateTemp("", fmt.Sprintf("godags-*.%s", o.format))
		if err != nil {
			return fmt.Errorf("file for the picture: %w", err)
		}
		o.path = f.Name()
		if err := errors.Join(write(f), f.Close()); err != nil {
			return err
		}

	default:
		if err := writeFile(o.path, write); err != nil {
			return err
		}
	}

	// On standard error, since standard output may be another result of the same script.
	fmt.Fprintf(i.Err, "wrote %s\n", printable(o.path))
	if !o.open {
		return nil
	}

	return openFile(o.path)
}

// stageNamed returns the stage of a graph with a name. If there is none, the error names the one
// that may be meant.
func stageNamed(g *dag.Graph, name string) (dag.StageID, error) {
	if s, ok := g.Lookup(name); ok {
		return s, nil
	}

	names := make([]string, g.Len())
	for s := range names {
		names[s] = g.Name(dag.StageID(s))
	}

	hint := ""
	if near := nearest.Name(name, names); near != "" {
		hint = fmt.Sprintf(": did you mean %q?", near)
	}
	return 0, usageError("--around: the pipeline has no stage %.200q%s", name, hint)
}
