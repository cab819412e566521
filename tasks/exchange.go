package tasks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrNoOutput is what [Values].Output returns for a dependency that has produced no value.
var ErrNoOutput = errors.New("the stage has no output")

// maxOutput is the largest output of a command in bytes.
const maxOutput = 64 << 20

// rawHeader is the first line of a value in the stored form of package cache's codec "raw"; the bytes themselves follow.
// It is repeated here because tasks must not import cache.
const rawHeader = "raw\n"

// putInputs writes a file for each dependency of s that has an output.
func (d *desk) putInputs(ctx context.Context, s *Stage) error {
	if len(s.After) == 0 {
		return nil
	}
	// A root, so that no name of a stage can lead out of the folder.
	root, err := os.OpenRoot(d.inputs())
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
func (d *desk) collect(s *Stage) error {
	value, err := readOutput(d.output())
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
