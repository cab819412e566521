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
	"github.com/godags/godags/internal/version"
)

// classify returns the exit code of an error that is not an exitError.
func classify(err error) int {
	var unreachable *redisx.UnreachableError
	var url *redisx.URLError
	var invalid *dag.InvalidError
	var file *pipefile.FileError
	switch {
	// A caller may try these again: neither the pipeline nor the command line is wrong.
	case errors.As(err, &unreachable), errors.Is(err, engine.ErrStateLost), errors.Is(err, runs.ErrFenced),
		errors.Is(err, coordinator.ErrNoWorker):
		return exitUnreachable
	// Trying these again without a change gives the same error.
	case errors.As(err, &url), errors.As(err, &invalid), errors.As(err, &file),
		errors.Is(err, runs.ErrNotFound), errors.Is(err, runs.ErrExists), errors.Is(err, engine.ErrSharedMemory),
		errors.Is(err, version.ErrNewer), errors.Is(err, engine.ErrActive), errors.Is(err, engine.ErrNoStage):
		return exitUsage
	}

	return exitFailed
}

// printable removes control characters from a text for a terminal. An error may quote data of
// stages or of other users of Redis.
func printable(text string) string { return term.CleanLines(text) }
