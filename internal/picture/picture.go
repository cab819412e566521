// Package picture draws a pipeline, or a run of one: as DOT for Graphviz, as SVG, as Mermaid, as
// text for a terminal, and as JSON.
//
// A pipeline becomes a sketch: the nodes and edges to draw. Too many stages collapse into groups
// there, so that no writer has to care. SVG and text then share one layered layout: rows (every
// edge points down), lanes (where an edge passes rows between its ends), order (few crossings), and
// places (straight lanes, parents above the middle of their children).
package picture

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/nearest"
)

// Input is what to draw.
type Input struct {
	Name  string                      // of the pipeline
	Run   string                      // the run's id, "" for a pipeline that is not run
	Graph *dag.Graph                  // must not be nil
	State func(dag.StageID) dag.State // nil for a pipeline that is not run
	Label func(dag.StageID) string    // a small second line, such as a duration; nil or "" for none

	// Reason says why a stage of a run is neither running nor finished; nil: it is not shown.
	Reason func(dag.StageID) (api.Reason, bool)

	// Path is the critical path of a run, first things first; nil: none is marked.
	Path  []dag.StageID
	Badge func(dag.StageID) string   // such as "3 attempts"; nil or "" for none
	Hover func(dag.StageID) []string // lines for the tool tip of an SVG; may be nil

	Full bool   // draw every stage, however many there are
	Part string // what the graph is a part of, such as "of 1,000"; see [Around]

	Width int // of the terminal, in columns, that ASCII is for; 0: about 80
}

// Format is a way to draw.
type Format string

// The formats. All but JSON collapse more than 300 stages into groups, unless the input is full.
const (
	DOT Format = "dot" // for Graphviz 2.42 or later
	SVG Format = "svg" // for a browser, in light and dark
	// for Markdown; more than 500 dependencies, which Mermaid refuses, collapse too
	Mermaid Format = "mermaid"
	ASCII   Format = "ascii" // for a terminal, without colour codes
	JSON    Format = "json"  // for programs: see [Document]
)

var writers = []struct {
	format Format
	write  func(*bufio.Writer, Input) error
}{
	{DOT, writeDOT}, {SVG, writeSVG}, {Mermaid, writeMermaid}, {ASCII, writeASCII}, {JSON, writeJSON},
}

// ParseFormat returns the format called s, in whatever case, or an error that lists the formats and
// names the one that may be meant.
func ParseFormat(s string) (Format, error) {
	var known []string
	for _, w := range writers {
		if strings.EqualFold(s, string(w.format)) {
			return w.format, nil
		}
		known = append(known, string(w.format))
	}

	hint := ""
	if near := nearest.Name(strings.ToLower(s), known); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return "", fmt.Errorf("unknown picture format %q%s: use one of %s", s, hint, strings.Join(known, ", "))
}

// Draw writes the picture to w. The same input always gives the same bytes.
// It fails when w does, and for a format that [ParseFormat] does not know.
func Draw(w io.Writer, in Input, f Format) error {
	for _, known := range writers {
		if known.format != f {
			continue
		}

		out := bufio.NewWriter(w)
		if err := known.write(out, in); err != nil {
			return fmt.Errorf("draw %s: %w", f, err)
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("draw %s: %w", f, err)
		}

		return nil
	}

	_, err := ParseFormat(string(f))
	return err
}
