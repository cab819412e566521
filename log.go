package godags

import (
	"context"
	"io"
	"log/slog"

	"github.com/godags/godags/tasks"
)

// Log returns a logger that writes to the output of the stage, which `logs` shows. Outside a stage
// it returns [slog.Default].
func Log(ctx context.Context) *slog.Logger {
	s := tasks.FromContext(ctx)
	if s == nil {
		return slog.Default()
	}
	return slog.New(slog.NewTextHandler(s.Log, nil))
}

// Writer returns a writer to the output of the stage, for programs and libraries that print.
// Outside a stage it discards what is written.
func Writer(ctx context.Context) io.Writer {
	s := tasks.FromContext(ctx)
	if s == nil {
		return io.Discard
	}
	return s.Log
}
