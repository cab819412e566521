package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// lab is what samples are taken with.
type lab struct {
	folder    string // for all that comes about; removed in the end
	self      string // path of this program
	files     team   // for pipeline files
	functions team   // for [functionPipeline]
}

// team is how programs are called that run pipelines together.
type team struct{ coordinator, worker []string }

// openLab builds the programs of the module in the folder root.
func openLab(ctx context.Context, root string) (*lab, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}

	folder, err := os.MkdirTemp("", "godags-bench-")
	if err != nil {
		return nil, err
	}

	l := &lab{folder: folder, self: self,
		files:     team{[]string{filepath.Join(folder, "bin", "coordinator")}, []string{filepath.Join(folder, "bin", "worker")}},
		functions: team{[]string{self, programRole}, []string{self, programRole, "worker"}},
	}

	// Built here, so that what is measured is what is in the folder.
	_, _, err = execute(ctx, root, nil, "go", "build", "-o", filepath.Join(folder, "bin")+string(filepath.Separator), "./cmd/coordinator", "./cmd/worker")
	if err != nil {
		return nil, fmt.Errorf("build godags in %s: %w", root, err)
	}

	return l, nil
}

func (l *lab) close() error { return os.RemoveAll(l.folder) }

// file returns the path of a pipeline file, which is written when it is asked for first.
func (l *lab) file(p pipeline) (string, error) {
	path := filepath.Join(l.folder, p.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := p.shape.write(path); err != nil {
		return "", fmt.Errorf("write pipeline: %w", err)
	}
	return path, nil
}
