package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/pipefile"
	"github.com/godags/godags/internal/spec"
)

// target returns the pipeline that a word names: a pipeline of this program, or a file. An empty
// word names the first pipeline of this program.
func (p Program) target(word string) (*spec.Spec, error) {
	// By its extension and not by its existence: a misspelled file must be reported as a file.
	if isFile(word) {
		registry, _, err := engine.Collect(p.Pipelines...)
		if err != nil {
			return nil, err
		}

		// A file may use the handlers of all pipelines in this program.
		sp, err := pipefile.Read(word, registry)
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

	// A file without its extension is a common slip.
	for _, ext := range extensions {
		if _, err := os.Stat(word + ext); err == nil {
			return usageError("unknown pipeline %.200q: did you mean the file %s?", word, word+ext)
		}
	}

	if len(names) == 0 {
		return usageError("unknown pipeline %.200q: this program has no pipelines, so give a .yaml, .yml or .json file", word)
	}

	return usageError("unknown pipeline %.200q: this program has %s; or give a .yaml, .yml or .json file", word, strings.Join(names, ", "))
}
