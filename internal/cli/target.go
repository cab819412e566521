package cli

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/pipefile"
	"github.com/godags/godags/internal/spec"
)

// target returns the pipeline that a word names: a pipeline of this program, a file, or a folder
// with a pipeline.yaml. An empty word names the pipeline.yaml in the current folder, or else the
// first pipeline of this program.
//
// If the pipeline is executed here, and not by the workers of a fleet, the commands of a file start
// in the folder of the file.
func (p Program) target(word string, here bool) (*spec.Spec, error) {
	file, err := pipelineFile(word)
	if err != nil {
		return nil, err
	}
	if file != "" {
		word = file
	}

	// By its extension and not by its existence: a misspelled file must be reported as a file.
	if isFile(word) {
		registry, _, err := engine.Collect(p.Pipelines...)
		if err != nil {
			return nil, err
		}

		// A file may use the handlers of all pipelines in this program.
		read := pipefile.Read
		if here {
			read = pipefile.ReadHere
		}

		sp, err := read(word, registry)
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}

		return sp, nil
	}

	if word == "" && len(p.Pipelines) > 0 {
		return p.Pipelines[0].Spec, nil
	}

	var names []string
	for _, q := range p.Pipelines {
		if q.Spec.Name == word {
			return q.Spec, nil
		}
		names = append(names, q.Spec.Name)
	}

	return nil, p.unknownTarget(word, names)
}

// defaultFiles are the names of a pipeline file that need not be typed.
var defaultFiles = []string{"pipeline.yaml", "pipeline.yml"}

// pipelineFile returns the pipeline file in the folder that a word names; "" if the word names
// none, or is empty and there is no such file.
func pipelineFile(word string) (string, error) {
	info, err := os.Stat(cmp.Or(word, "."))
	if err != nil || !info.IsDir() {
		return "", nil // a pipeline of this program, or a file
	}

	for _, name := range defaultFiles {
		path := filepath.Join(word, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}

	// The name of a pipeline may also be that of a folder beside it.
	if word == "" || filepath.Base(word) == word && word != "." && word != ".." {
		return "", nil
	}
	return "", usageError("the folder %.200q has no %s", word, strings.Join(defaultFiles, " or "))
}

var extensions = []string{".yaml", ".yml", ".json"}

func isFile(word string) bool {
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(word)))
}

// unknownTarget says which pipelines there are, and which one was probably meant.
func (p Program) unknownTarget(word string, names []string) error {
	if word == "" {
		return usageError("name what to run: this program has no pipelines, so give a .yaml, .yml or .json file")
	}

	if near := nearest.Name(word, names); near != "" {
		return usageError("unknown pipeline %.200q: did you mean %q?", word, near)
	}

	// A file without its extension, or with a letter wrong, is a common slip.
	if file := fileNear(word); file != "" {
		return usageError("unknown pipeline %.200q: did you mean the file %s?", word, file)
	}

	if len(names) == 0 {
		return usageError("unknown pipeline %.200q: this program has no pipelines, so give a .yaml, .yml or .json file", word)
	}

	return usageError("unknown pipeline %.200q: this program has %s; or give a .yaml, .yml or .json file", word, strings.Join(names, ", "))
}

// fileNear returns the pipeline file whose name without its extension is nearest to a word; "" if
// none is near.
func fileNear(word string) string {
	folder := filepath.Dir(word)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "" // only the suggestion is lost
	}

	files := make(map[string]string)
	var names []string
	for _, e := range entries {
		if name := e.Name(); isFile(name) {
			stem := strings.TrimSuffix(name, filepath.Ext(name))
			files[stem] = filepath.Join(folder, name)
			names = append(names, stem)
		}
	}

	base := filepath.Base(word)
	if file, ok := files[base]; ok {
		return file
	}
	return files[nearest.Name(base, names)]
}
