package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// lab is what samples are taken with.
type lab struct {
	folder              string // for all that comes about; removed in the end
	coordinator, worker string // paths of the programs
	self                string // of this one
}

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
		coordinator: filepath.Join(folder, "bin", "coordinator"), worker: filepath.Join(folder, "bin", "worker")}
	_, _, err = execute(ctx, root, nil, "go", "build", "-o", filepath.Join(folder, "bin")+string(filepath.Separator), "./cmd/coordinator", "./cmd/worker")
	if err != nil {
		return nil, fmt.Errorf("build godags in %s: %w", root, err)
	}
	return l, nil
}

func (l *lab) close() error { return os.RemoveAll(l.folder) }
