package pipefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/spec"
)

// Limits of the size of files in bytes. Pipelines in files with the extension .json may have
// MaxJSON, because their stages are read one by one; all other files MaxSize.
const (
	MaxSize = 64 << 20
	MaxJSON = 512 << 20
)

// Validator checks the parameters of a task. The registry of package tasks is one.
type Validator interface {
	// Validate returns an error when there is no such task or when it cannot take these parameters:
	// a JSON object, or nil for none.
	Validate(task string, params json.RawMessage) error
}

// Read reads the pipeline in a file of at most [MaxSize] bytes, or [MaxJSON]. The extension says
// the format: .yaml, .yml or .json. Tasks and their parameters are checked by v unless it is nil.
// An error about the content is a [*FileError]; other errors are about the file itself.
func Read(path string, v Validator) (*spec.Spec, error) {
	data, err := load(path, maxSize(path))
	if err != nil {
		return nil, err
	}
	return Parse(path, data, v)
}

// ReadHere is [Read] for a pipeline that will be executed on this machine only: its commands start
// in the folder of the file, from which a relative dir counts too.
func ReadHere(path string, v Validator) (*spec.Spec, error) {
	data, err := load(path, maxSize(path))
	if err != nil {
		return nil, err
	}

	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: find its folder: %w", printable(path), err)
	}

	return parseIn(folder, path, data, v)
}

// maxSize returns the size of the largest pipeline file of that name.
func maxSize(name string) int64 {
	if isJSON, err := formatOf(name); err == nil && isJSON {
		return MaxJSON
	}
	return MaxSize
}

// load returns the content of a regular file with a known extension and at most so many bytes.
func load(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(path)
	case err != nil:
		return nil, unreadable(path, err)
	case info.IsDir():
		return nil, fmt.Errorf("%s: this is a folder, not a file", printable(path))
	// Reading a FIFO could wait forever, and a device might never end.
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: this is not a regular file: write its content to one", printable(path))
	case info.Size() > most:
		return nil, tooLarge(path, info.Size(), most)
	}

	if _, err := formatOf(path); err != nil {
		return nil, err
	}

	data, err := readFile(path, info.Size(), most)
	if err != nil {
		return nil, unreadable(path, err)
	}

	return data, nil
}

// readFile reads one byte more than most: the file may be growing.
func readFile(path string, size, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	data.Grow(int(size) + bytes.MinRead) // a large file would be copied while the buffer grows
	_, err = data.ReadFrom(io.LimitReader(f, most+1))
	return data.Bytes(), errors.Join(err, f.Close())
}

// Parse is [Read] for a file that is in memory. Its name has the extension, is used in messages,
// and names a pipeline without a name.
func Parse(name string, data []byte, v Validator) (*spec.Spec, error) {
	return parseIn("", name, data, v)
}

// parseIn is Parse with the folder in which commands start; "" is that of the worker.
func parseIn(folder, name string, data []byte, v Validator) (*spec.Spec, error) {
	isJSON, err := formatOf(name)
	if err != nil {
		return nil, err
	}
	if most := maxSize(name); int64(len(data)) > most {
		return nil, tooLarge(name, int64(len(data)), most)
	}

	// The byte order mark is no part of the text: columns count from behind it.
	d := newDecoder(bytes.TrimPrefix(data, []byte("\uFEFF")))
	d.folder = folder
	sp := d.parse(isJSON, name, v)
	if len(d.problems) > 0 {
		return nil, d.fileError(name)
	}

	return sp, nil
}

// parse returns the pipeline, or reports why there is none.
func (d *decoder) parse(isJSON bool, name string, v Validator) *spec.Spec {
	root, ok := d.read(isJSON, true)
	if !ok {
		return nil
	}
	return build(d, readPipeline(d, root), stem(name), v)
}

// read returns the value of the file, or false if its syntax is wrong. If stream is true, the list
// of stages is left open if the format allows it.
func (s *source) read(isJSON, stream bool) (value, bool) {
	if !s.checkEncoding() {
		return value{}, false
	}

	// A YAML file may hold JSON, for which the JSON reader is much faster.
	isJSON = isJSON || bytes.HasPrefix(bytes.TrimLeft(s.bytes, " \t\r\n"), []byte("{")) && json.Valid(s.bytes)
	if isJSON {
		return s.readJSON(stream)
	}

	return s.readYAML()
}

// checkEncoding reports text that is not UTF-8, and control characters.
func (s *source) checkEncoding() bool {
	text := s.bytes
	// UTF-16 is told by its mark, or because one byte of each ASCII character is 0.
	marked := bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
	if marked || len(text) > 1 && (text[0] == 0) != (text[1] == 0) {
		s.report(0, "the file is UTF-16: save it as UTF-8")
		return false
	}
	// Almost all files pass here. Only for the others does the slower loop find the place.
	if utf8.Valid(text) && !slices.ContainsFunc(text, isControl) && !bytes.Contains(text, []byte("\uFFFE")) && !bytes.Contains(text, []byte("\uFFFF")) {
		return true
	}

	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			s.report(at, "the file is not UTF-8 here: save it as UTF-8")
			return false
		case size == 1 && isControl(text[at]) || r == '\uFFFE' || r == '\uFFFF':
			s.report(at, "a file cannot have the character U+%04X: write it as \"\\u%04x\" in quotes, or remove it", r, r)
			return false
		}

		at += size
	}

	return true
}

func isControl(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' }

var extensions = []string{".yaml", ".yml", ".json"}

func formatOf(name string) (isJSON bool, err error) {
	ext := strings.ToLower(filepath.Ext(name))
	if !slices.Contains(extensions, ext) {
		return false, fmt.Errorf("%s: the name of a pipeline file must end in .yaml, .yml or .json", printable(name))
	}
	return ext == ".json", nil
}

// stem returns the file's name without folder and extension.
func stem(path string) string {
	return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
}

// missing returns an error that suggests the file in the same folder that was probably meant.
func missing(path string) error {
	entries, _ := os.ReadDir(filepath.Dir(path)) // without the folder there is nothing to suggest
	var names []string
	suggestion := ""
	for _, e := range entries {
		if _, err := formatOf(e.Name()); err != nil {
			continue
		}
		names = append(names, e.Name())
		// The same name with another extension comes before any that is only near.
		if stem(e.Name()) == stem(path) {
			suggestion = e.Name()
		}
	}

	if suggestion == "" {
		suggestion = nearest.Name(filepath.Base(path), names)
	}
	return fmt.Errorf("%s: %w%s", printable(path), fs.ErrNotExist, didYouMean(suggestion))
}

func unreadable(path string, err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err // the path is named already
	}
	return fmt.Errorf("%s: cannot read the file: %w", printable(path), err)
}

func tooLarge(path string, size, most int64) error {
	// JSON may be larger, because its stages are read one by one.
	way := "build a pipeline of this size in Go"
	if isJSON, err := formatOf(path); err == nil && !isJSON {
		way = fmt.Sprintf("write it as JSON, in a file of at most %d, or build it in Go", MaxJSON>>20)
	}
	return fmt.Errorf("%s: the file has %d MiB, and can have at most %d: %s", printable(path), (size+1<<20-1)>>20, most>>20, way)
}
