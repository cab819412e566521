package runs

import (
	"context"

	"github.com/godags/godags/internal/journal"
)

// SilentAfter is the time without a heartbeat after which a worker counts as dead.
const SilentAfter = journal.WorkerTTL

// Worker is a worker that listens on the Redis, or did within the last minute.
type Worker = journal.WorkerInfo

// Workers lists the workers, by ID.
func (s *Service) Workers(ctx context.Context) ([]Worker, error) {
	return s.session.Journal.Workers(ctx)
}

// WorkerState returns the word for the state of a worker: idle, busy, unhealthy or silent.
func WorkerState(w Worker) string {
	switch {
	case !w.Alive():
		return "silent"
	case w.Unhealthy != "":
		return "unhealthy"
	case w.Busy > 0:
		return "busy"
	}

	return "idle"
}
