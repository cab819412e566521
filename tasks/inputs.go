package tasks

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/godags/godags/internal/command"
)

// Lister is implemented by a [Values] whose outputs may have parts: the outputs of the instances of
// a stage, or of the cells of a matrix.
type Lister interface {
	// List calls each for every part of the output of the named stage, in order. It returns false
	// if the stage has no output, or an output without parts.
	List(ctx context.Context, stage string, each func(Part) error) (bool, error)
}

// Part is the output of one instance or cell.
type Part struct {
	Name  string // such as "0" or "os=linux"
	None  bool   // it has no output
	Bytes []byte // the output
	JSON  []byte // the output as an element of a JSON array; nil if it is neither JSON nor text
}

// writeInputs writes the output of each dependency of s to the folder of inputs: a file, or a
// folder of files for parts that are not all JSON or text.
func writeInputs(ctx context.Context, w *command.Workspace, s *Stage) error {
	inputs := w.Inputs()
	defer inputs.Close()
	for _, stage := range s.After {
		if err := writeInput(ctx, inputs, s.Values, stage); err != nil {
			return fmt.Errorf("input from stage %q: %w", stage, err)
		}
	}
	return nil
}

// writeInput writes the output of a stage, if it has one.
func writeInput(ctx context.Context, inputs *command.Inputs, values Values, stage string) error {
	if found, err := writeParts(ctx, inputs, values, stage); found || err != nil {
		return err
	}

	payload, err := payloadOf(ctx, values, stage)
	if errors.Is(err, ErrNoOutput) {
		return nil
	}
	if err != nil {
		return err
	}

	return inputs.WriteFile(stage, payload)
}

// payloadOf returns the output of a dependency without the line that names its codec.
func payloadOf(ctx context.Context, values Values, stage string) ([]byte, error) {
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

var errNotJSON = errors.New("a part is neither JSON nor text")

// writeParts writes the output of a stage that has parts: a file with one JSON array if all parts
// are JSON or text, otherwise a folder with a file for each part that has an output. It returns
// false if the output has no parts.
func writeParts(ctx context.Context, inputs *command.Inputs, values Values, stage string) (bool, error) {
	lister, ok := values.(Lister)
	if !ok {
		return false, nil
	}

	// The parts are written as they arrive: all together may have gigabytes, so one at a time is in
	// memory. That some part is not JSON shows only on the way.
	array := &arrayFile{inputs: inputs, name: stage}
	found, err := lister.List(ctx, stage, array.add)
	if found || err != nil {
		err = errors.Join(err, array.close(err == nil))
	}

	if !errors.Is(err, errNotJSON) {
		return found, err
	}

	if err := inputs.ReplaceByFolder(stage); err != nil {
		return true, err
	}

	return lister.List(ctx, stage, func(p Part) error {
		if p.None {
			return nil
		}
		return inputs.WriteFile(stage+"/"+p.Name, p.Bytes)
	})
}

// arrayFile writes a JSON array to a file.
type arrayFile struct {
	inputs *command.Inputs
	name   string
	file   io.WriteCloser // nil until the first element is added
	out    *bufio.Writer
}

func (a *arrayFile) add(p Part) error {
	// The file is made even for a part that is not JSON: it is then replaced by a folder.
	separator := byte(',')
	if a.file == nil {
		file, err := a.inputs.Create(a.name)
		if err != nil {
			return err
		}
		a.file = file
		a.out = bufio.NewWriter(file)
		separator = '['
	}

	if p.JSON == nil {
		return errNotJSON
	}

	err := a.out.WriteByte(separator)
	if err == nil {
		_, err = a.out.Write(p.JSON)
	}
	return err
}

// close closes the file. If all parts were added, it completes the array.
func (a *arrayFile) close(complete bool) (err error) {
	if a.file == nil {
		return nil
	}

	if complete {
		if err = a.out.WriteByte(']'); err == nil {
			err = a.out.Flush()
		}
	}

	return errors.Join(err, a.file.Close())
}
