package tasks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNoOutput is what [Values].Output returns for a dependency that has produced no value.
var ErrNoOutput = errors.New("the stage has no output")

// maxOutput is the largest output of a command in bytes.
const maxOutput = 64 << 20

// rawHeader is the first line of a value in the stored form of package cache's codec "raw"; the bytes themselves follow.
// It is repeated here because tasks must not import cache.
const rawHeader = "raw\n"

// exchange is the private folder through which a command gets its inputs and hands over its output.
type exchange struct {
	dir string
}

// openExchange makes the folder and writes an input for each dependency of s that has an output.
func openExchange(ctx context.Context, s *Stage) (exchange, error) {
	dir, err := os.MkdirTemp("", "godags-")
	if err != nil {
		return exchange{}, fmt.Errorf("folder for inputs and output: %w", err)
	}
	x := exchange{dir}
	if err := x.writeInputs(ctx, s); err != nil {
		return x, errors.Join(err, x.close())
	}
	return x, nil
}

func (x exchange) inputs() string { return filepath.Join(x.dir, "inputs") }
func (x exchange) output() string { return filepath.Join(x.dir, "output") }

func (x exchange) env() []string {
	return []string{"GODAGS_INPUTS=" + x.inputs(), "GODAGS_OUTPUT=" + x.output()}
}

func (x exchange) close() error {
	if err := os.RemoveAll(x.dir); err != nil {
		return fmt.Errorf("remove the folder of inputs and output: %w", err)
	}
	return nil
}

func (x exchange) writeInputs(ctx context.Context, s *Stage) error {
	if err := os.Mkdir(x.inputs(), 0o700); err != nil {
		return fmt.Errorf("folder for inputs: %w", err)
	}
	// A root, so that no name of a stage can lead out of the folder.
	root, err := os.OpenRoot(x.inputs())
	if err != nil {
		return fmt.Errorf("folder for inputs: %w", err)
	}
	defer root.Close()
	for _, stage := range s.After {
		if err := writeInput(ctx, root, s.Values, stage); err != nil {
			return fmt.Errorf("input from stage %q: %w", stage, err)
		}
	}
	return nil
}

func writeInput(ctx context.Context, root *os.Root, values Values, stage string) error {
	value, err := values.Output(ctx, stage)
	if errors.Is(err, ErrNoOutput) {
		return nil
	}
	if err != nil {
		return err
	}
	_, payload, ok := bytes.Cut(value, []byte("\n"))
	if !ok {
		return errors.New("the value does not begin with the line that names its codec")
	}
	return root.WriteFile(stage, payload, 0o600)
}

// collect makes what the command left in the output file the output of s. No file is no output.
func (x exchange) collect(s *Stage) error {
	value, err := readOutput(x.output())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("GODAGS_OUTPUT: %w", err)
	}
	s.Values.SetOutput(value)
	return nil
}

// readOutput returns the content of the file at path in its stored form.
func readOutput(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("the command made something that is not a file")
	}
	if info.Size() > maxOutput {
		return nil, fmt.Errorf("the output has %d bytes, the limit is %d (64 MiB): write it elsewhere and hand over its path", info.Size(), maxOutput)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	value := make([]byte, len(rawHeader)+int(info.Size()))
	copy(value, rawHeader)
	if _, err := io.ReadFull(f, value[len(rawHeader):]); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return value, nil
}
