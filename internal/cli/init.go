package cli

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/version"
)

// starters are what init writes. Names end in .txt so that Go takes them for no module of its own.
//
//go:embed starter
var starters embed.FS

func (p Program) initCommand() *ucli.Command {
	return &ucli.Command{
		Name: "init", Usage: "write a pipeline to begin with", ArgsUsage: "[FOLDER]",
		Description: "It writes pipeline.yaml, with comments, or with --go a Go program with a pipeline. The folder is made if there is none;\n" +
			"without FOLDER it is this one. No file is overwritten.",
		Flags:  []ucli.Flag{&ucli.BoolFlag{Name: "go", Usage: "write a Go program: go.mod and main.go"}},
		Action: p.init,
	}
}

func (p Program) init(c *ucli.Context) error {
	if c.NArg() > 1 {
		return usageError("init takes one FOLDER, but got %.100q", c.Args().Slice())
	}

	folder := c.Args().First()
	if folder == "" {
		folder = "."
	}

	names := []string{"pipeline.yaml"}
	if c.Bool("go") {
		names = []string{"go.mod", "main.go"}
	}

	for _, name := range names { // before anything is written
		if _, err := os.Lstat(filepath.Join(folder, name)); err == nil {
			return usageError("%s exists: it is left as it is", filepath.Join(folder, name))
		}
	}

	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("folder for the pipeline: %w", err)
	}

	for _, name := range names {
		if err := writeStarter(folder, name); err != nil {
			return err
		}
	}

	return p.print(func(out *bufio.Writer) error {
		_, err := fmt.Fprint(out, p.whatNow(folder, names))
		return err
	})
}

// writeStarter makes a file that must not be there.
func writeStarter(folder, name string) error {
	text, err := starters.ReadFile("starter/" + name + ".txt")
	if err != nil {
		return fmt.Errorf("text of %s: %w", name, err)
	}

	path := filepath.Join(folder, name)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return usageError("%s exists: it is left as it is", path)
	}
	if err != nil {
		return err
	}

	content := strings.ReplaceAll(string(text), "VERSION", "v"+version.Number)
	if folder := clone(); name == "go.mod" && folder != "" {
		content += fmt.Sprintf("\n// The program that wrote this was built in a clone.\nreplace github.com/godags/godags => %q\n", folder)
	}

	_, err = file.WriteString(content)
	return errors.Join(err, file.Close())
}

// clone returns the folder of the clone in which this program was built, or "" for one of a
// release, which Go can fetch.
func clone() string {
	_, file, _, _ := runtime.Caller(0)
	folder := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil || !filepath.IsAbs(folder) || strings.Contains(folder, "@v") {
		return ""
	}
	return folder
}

func (p Program) whatNow(folder string, names []string) string {
	wrote := "wrote " + printable(filepath.Join(folder, names[0]))
	if len(names) == 1 {
		file := []string{filepath.Join(folder, names[0])}
		return fmt.Sprintf("%s: %s runs it, %s draws it\n", wrote, p.hint(nil, "run", file), p.hint(nil, "graph", file))
	}
	return fmt.Sprintf("%s and %s: in that folder, `go mod tidy` gets what it needs, and `go run . run` runs it\n", wrote, names[1])
}
