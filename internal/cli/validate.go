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

func defineValidate(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "validate", Usage: "check pipeline files, and list all problems", ArgsUsage: "FILE...",
		Description: "It needs no Redis. It checks tasks and their parameters against the handlers of this program.",
		Flags:       []ucli.Flag{outFlag()},
		Action:      p.action(validate),
	}
}

func validate(i invocation) error {
	c := i.c
	if !c.Args().Present() {
		return usageError("validate needs a FILE: a .yaml, .yml or .json file")
	}

	asJSON, err := i.asJSON()
	if err != nil {
		return err
	}

	registry, _, err := engine.Collect(i.Pipelines...)
	if err != nil {
		return err
	}

	// All files are checked, also after an invalid one: an editor or CI wants every problem.
	list := make([]checkedFile, c.NArg())
	for n, path := range c.Args().Slice() {
		sp, err := pipefile.Read(path, registry)
		list[n] = checkFile(path, sp, err)
	}

	if err := i.print(func(out *bufio.Writer) error { return i.printFiles(out, list, asJSON) }); err != nil {
		return err
	}

	for _, f := range list {
		if !f.OK {
			return &exitError{code: exitUsage}
		}
	}

	return nil
}

// checkedFile is the result for one file, as JSON has it.
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
	Line       int    `json:"line,omitempty"` // 0 for a file that cannot be read
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
	// With a weight of 1 for each stage, the longest path has one stage of each level.
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
			// Problems go to standard error, so that standard output has valid files only.
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

// pathText returns a -> b -> c, without the middle of a long path.
func pathText(path []string) string {
	const ends = 3
	if len(path) > 2*ends+1 {
		// The capacity is limited, because append must not overwrite the path of the caller.
		path = append(append(path[:ends:ends], fmt.Sprintf("... %d more ...", len(path)-2*ends)), path[len(path)-ends:]...)
	}
	return strings.Join(path, " -> ")
}
