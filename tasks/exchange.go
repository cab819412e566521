package tasks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
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
	var inputs *os.Root // so that no name of a stage can lead out of the folder; opened when there is an input
	for _, stage := range s.After {
		payload, err := input(ctx, s.Values, stage)
		if errors.Is(err, ErrNoOutput) {
			continue
		}
		if err == nil && inputs == nil {
			if inputs, err = os.OpenRoot(d.inputs()); err == nil {
				defer inputs.Close()
			} else {
				err = fmt.Errorf("%w: %w", ErrWorker, err)
			}
		}
		if err == nil {
			err = writeInput(inputs, stage, payload)
		}
		if err != nil {
			return fmt.Errorf("input from stage %q: %w", stage, err)
		}
	}
	return nil
}

// writeInput writes the file of one input. What the system refuses, such as space on the disk, is the worker's fault; a name that leads
// out of the folder is not.
func writeInput(inputs *os.Root, stage string, payload []byte) error {
	err := inputs.WriteFile(stage, payload, 0o600)
	if _, refused := errors.AsType[syscall.Errno](err); refused {
		return fmt.Errorf("%w: %w", ErrWorker, err)
	}
	return err
}

// input returns the output of a dependency without the line that names its codec.
func input(ctx context.Context, values Values, stage string) ([]byte, error) {
	value, err := values.Output(ctx, stage)
	if err != nil {
		return nil, err
	}
	_, payload, ok := bytes.Cut(value, []byte("\n"))
	if !ok {
		return nil, errors.New("the value does not begin with the line that names its codec")
	}
	return payload, nil
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
