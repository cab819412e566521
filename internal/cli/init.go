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

// starters are the files that init writes. Their names end in .txt, so that Go does not treat the
// folder as a nested module.
//
//go:embed starter
var starters embed.FS

func defineInit(p Program) *ucli.Command {
	return &ucli.Command{
		Name: "init", Usage: "write a first pipeline", ArgsUsage: "[FOLDER]",
		Description: "It writes a pipeline.yaml with comments, or with --go a Go program. It creates FOLDER if necessary;\n" +
			"the default is the current folder. No file is overwritten.",
		Flags:  []ucli.Flag{&ucli.BoolFlag{Name: "go", Usage: "write a Go program: go.mod and main.go"}},
		Action: p.action(initFolder),
	}
}

func initFolder(i invocation) error {
	c := i.c
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

	// Before anything is written, so that no half of a program remains.
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(folder, name)); err == nil {
			return usageError("%s exists and is not overwritten", filepath.Join(folder, name))
		}
	}

	// The umask of the user narrows these permissions, as for files that an editor creates.
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("create the folder: %w", err)
	}

	for _, name := range names {
		if err := writeStarter(folder, name); err != nil {
			return err
		}
	}

	return i.print(func(out *bufio.Writer) error {
		_, err := fmt.Fprint(out, i.written(folder, names))
		return err
	})
}

// writeStarter creates a file that must not exist.
func writeStarter(folder, name string) error {
	text, err := starters.ReadFile("starter/" + name + ".txt")
	if err != nil {
		return fmt.Errorf("read the embedded %s: %w", name, err)
	}

	path := filepath.Join(folder, name)
	// O_EXCL, because the file may have appeared since initFolder looked.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return usageError("%s exists and is not overwritten", path)
	}
	if err != nil {
		return err
	}

	content := strings.ReplaceAll(string(text), "VERSION", "v"+version.Number)
	// The go command cannot fetch the version of a clone, which may never have been pushed.
	if folder := clone(); name == "go.mod" && folder != "" {
		content += fmt.Sprintf("\n// The program that wrote this file was built in a clone.\nreplace github.com/godags/godags => %q\n", folder)
	}

	_, err = file.WriteString(content)
	return errors.Join(err, file.Close())
}

// clone returns the folder of the Git clone in which this program was built. It returns "" for a
// release, which the go command can fetch.
func clone() string {
	// The compiler records the path of this file: that of the module cache has an @v in it.
	_, file, _, _ := runtime.Caller(0)
	folder := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	if !filepath.IsAbs(folder) || strings.Contains(folder, "@v") { // relative: built with -trimpath
		return ""
	}

	// The binary may have been copied to a machine without the clone.
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
		return ""
	}
	return folder
}

// written says what was written, and how to run it.
func (p Program) written(folder string, names []string) string {
	wrote := "wrote " + printable(filepath.Join(folder, names[0]))
	// A Go program cannot be run by this one: it must be built first.
	if len(names) == 1 {
		file := []string{filepath.Join(folder, names[0])}
		return fmt.Sprintf("%s: %s runs it, %s draws it\n", wrote, p.hint("run", file), p.hint("graph", file))
	}
	return fmt.Sprintf("%s and %s: in that folder, `go mod tidy` fetches the dependencies, and `go run . run` runs it\n",
		wrote, names[1])
}
