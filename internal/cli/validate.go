package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/pipefile"
	"github.com/godags/godags/internal/spec"
)

func (p Program) validateCommand() *ucli.Command {
	return &ucli.Command{
		Name: "validate", Usage: "check pipeline files, and say all that is wrong with them", ArgsUsage: "FILE...",
		Description: "It needs no Redis. Tasks and their parameters are checked against what this program can do.",
		Flags:       []ucli.Flag{outFlag()},
		Action:      p.validate,
	}
}

func (p Program) validate(c *ucli.Context) error {
	if !c.Args().Present() {
		return usageError("validate needs the name of a .yaml, .yml or .json file")
	}

	asJSON, err := asJSON(c)
	if err != nil {
		return err
	}

	registry, _, err := engine.Collect(p.Pipelines...)
	if err != nil {
		return err
	}

	list := make([]checkedFile, c.NArg())
	for i, path := range c.Args().Slice() {
		sp, err := pipefile.Read(path, registry)
		list[i] = checkFile(path, sp, err)
	}

	if err := p.print(func(out *bufio.Writer) error { return p.printFiles(out, list, asJSON) }); err != nil {
		return err
	}

	for _, f := range list {
		if !f.OK {
			return &exitError{code: exitUsage}
		}
	}

	return nil
}

// checkedFile is what programs are told of a file.
type checkedFile struct {
	File         string        `json:"file"`
	OK           bool          `json:"ok"`
	Name         string        `json:"name,omitempty"`
	Stages       int           `json:"stages,omitempty"`
	Dependencies int           `json:"dependencies,omitempty"`
	Levels       int           `json:"levels,omitempty"`
	LongestPath  []string      `json:"longest_path,omitempty"`
	Params       []spec.Param  `json:"params,omitempty"` // a value is the default
	Problems     []fileProblem `json:"problems,omitempty"`
	Omitted      int           `json:"omitted_problems,omitempty"`
	err          error
}

type fileProblem struct {
	Line       int    `json:"line,omitempty"` // none of a file that cannot be read
	Column     int    `json:"column,omitempty"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
}

func checkFile(path string, sp *spec.Spec, err error) checkedFile {
	if err != nil {
		f := checkedFile{File: path, err: err}
		var file *pipefile.FileError
		if !errors.As(err, &file) {
			f.Problems = []fileProblem{{Message: err.Error()}}
			return f
		}

		for _, problem := range file.Problems {
			f.Problems = append(f.Problems, fileProblem{problem.Line, problem.Column, problem.Message, problem.Suggestion})
		}

		f.Omitted = file.Omitted
		return f
	}

	g := sp.Graph
	longest, _ := g.CriticalPath(func(dag.StageID) int64 { return 1 })
	f := checkedFile{File: path, OK: true, Name: sp.Name, Stages: g.Len(), Dependencies: g.Edges(), Levels: len(longest), Params: sp.Params}
	for _, s := range longest {
		f.LongestPath = append(f.LongestPath, g.Name(s))
	}
	return f
}

func (p Program) printFiles(out *bufio.Writer, list []checkedFile, asJSON bool) error {
	if asJSON {
		return printJSON(out, list)
	}

	for _, f := range list {
		if f.err != nil {
			text := f.err.Error()
			if file, ok := errors.AsType[*pipefile.FileError](f.err); ok {
				text = file.Show(len(file.Problems))
			}
			fmt.Fprintln(p.Err, printable(text))
			continue
		}

		fmt.Fprintf(out, "ok: %s, %s, %s, %s, longest path %s (%s)\n", f.Name, count(f.Stages, "stage", "stages"),
			count(f.Dependencies, "dependency", "dependencies"), count(f.Levels, "level", "levels"), pathText(f.LongestPath), printable(f.File))
		for _, p := range f.Params {
			fmt.Fprintf(out, "  %s\n", printable(p.String()))
		}
	}

	return nil
}

// pathText writes a -> b -> c, and leaves out the middle of a long path.
func pathText(path []string) string {
	const ends = 3
	if len(path) > 2*ends+1 {
		path = append(append(path[:ends:ends], fmt.Sprintf("... %d more ...", len(path)-2*ends)), path[len(path)-ends:]...)
	}
	return strings.Join(path, " -> ")
}
