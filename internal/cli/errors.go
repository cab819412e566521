package cli

import (
	"errors"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/pipefile"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/term"
)

// classify returns the exit code for an error that did not bring its own.
func classify(err error) int {
	var unreachable *redisx.UnreachableError
	var url *redisx.URLError
	var invalid *dag.InvalidError
	var file *pipefile.FileError
	switch {
	case errors.As(err, &unreachable), errors.Is(err, engine.ErrStateLost), errors.Is(err, runs.ErrFenced),
		errors.Is(err, coordinator.ErrNoWorker):
		return exitUnreachable
	case errors.As(err, &url), errors.As(err, &invalid), errors.As(err, &file),
		errors.Is(err, runs.ErrNotFound), errors.Is(err, runs.ErrExists), errors.Is(err, engine.ErrSharedMemory),
		errors.Is(err, engine.ErrGoesOn), errors.Is(err, engine.ErrNoStage):
		return exitUsage
	}

	return exitFailed
}

// printable makes a text harmless on a terminal: an error may quote what a stage or a stranger
// wrote.
func printable(text string) string { return term.CleanLines(text) }
