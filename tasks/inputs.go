package tasks

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
)

// Lister is implemented by a [Values] whose outputs may have parts: the outputs of the instances of
// a stage, or of the cells of a matrix.
type Lister interface {
	// List calls each for every part of the output of the named stage, in order. It returns false
	// if the stage has no output, or one value.
	List(ctx context.Context, stage string, each func(Part) error) (bool, error)
}

// Part is the output of one instance or cell.
type Part struct {
	Name  string // such as "0" or "os=linux"
	None  bool   // it has no output
	Bytes []byte // the output
	JSON  []byte // the output as an element of a JSON array; nil if it is neither JSON nor text
}

// putInputs writes the output of each dependency of s: a file, or a folder of files for parts that
// are not all JSON or text.
func (w *workspace) putInputs(ctx context.Context, s *Stage) error {
	folder := &inputFolder{workspace: w}
	defer folder.close()
	for _, stage := range s.After {
		if err := folder.put(ctx, s.Values, stage); err != nil {
			return fmt.Errorf("input from stage %q: %w", stage, err)
		}
	}
	return nil
}

// inputFolder is the folder of inputs. No name of a stage can lead out of it.
type inputFolder struct {
	workspace *workspace
	root      *os.Root // nil until the first input is written: most commands have none
}

func (f *inputFolder) open() (err error) {
	if f.root == nil {
		f.root, err = f.workspace.parent.root.OpenRoot(f.workspace.entry(inputsName))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWorker, err)
	}
	return nil
}

func (f *inputFolder) close() {
	if f.root != nil {
		_ = f.root.Close() // the files are closed
	}
}

// put writes the output of a stage, if it has one.
func (f *inputFolder) put(ctx context.Context, values Values, stage string) error {
	if found, err := f.putParts(ctx, values, stage); found || err != nil {
		return err
	}

	payload, err := input(ctx, values, stage)
	if errors.Is(err, ErrNoOutput) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.open(); err != nil {
		return err
	}

	return writeFile(f.root, stage, payload)
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

var errNotJSON = errors.New("a part is neither JSON nor text")

// putParts writes the output of a stage that has parts: a file with one JSON array if all parts are
// JSON or text, otherwise a folder with a file for each part that has an output. It returns false
// if the output has no parts. One part at a time is in memory, since all together may have
// gigabytes.
func (f *inputFolder) putParts(ctx context.Context, values Values, stage string) (bool, error) {
	lister, ok := values.(Lister)
	if !ok {
		return false, nil
	}

	array := &arrayFile{folder: f, name: stage}
	found, err := lister.List(ctx, stage, array.add)
	if found || err != nil {
		err = errors.Join(err, array.close(err == nil))
	}

	if !errors.Is(err, errNotJSON) {
		return found, err
	}

	if err := f.root.Remove(stage); err != nil {
		return true, workerFault(err)
	}
	if err := f.root.Mkdir(stage, 0o700); err != nil {
		return true, workerFault(err)
	}

	return lister.List(ctx, stage, func(p Part) error {
		if p.None {
			return nil
		}
		return writeFile(f.root, stage+"/"+p.Name, p.Bytes)
	})
}

// arrayFile is a file with a JSON array that is being written.
type arrayFile struct {
	folder *inputFolder
	name   string
	file   *os.File // nil until the first element is added
	out    *bufio.Writer
}

func (a *arrayFile) add(p Part) error {
	separator := byte(',')
	if a.file == nil {
		if err := a.create(); err != nil {
			return err
		}
		separator = '['
	}

	if p.JSON == nil {
		return errNotJSON
	}

	err := a.out.WriteByte(separator)
	if err == nil {
		_, err = a.out.Write(p.JSON)
	}
	return workerFault(err)
}

func (a *arrayFile) create() (err error) {
	if err := a.folder.open(); err != nil {
		return err
	}

	a.file, err = a.folder.root.OpenFile(a.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return workerFault(err)
	}

	a.out = bufio.NewWriter(a.file)
	return nil
}

// close ends the array, if it is complete, and closes the file.
func (a *arrayFile) close(complete bool) (err error) {
	if a.file == nil {
		return nil
	}

	if complete {
		if err = a.out.WriteByte(']'); err == nil {
			err = a.out.Flush()
		}
	}

	return workerFault(errors.Join(err, a.file.Close()))
}
