package runs

import (
	"context"

	"github.com/godags/godags/internal/fleet"
)

// SilentAfter is the time without a heartbeat after which a worker counts as dead.
const SilentAfter = fleet.WorkerTTL

// Worker is a worker that listens on the Redis, or did within the last minute.
type Worker = fleet.Worker

// Workers lists the workers, by ID.
func (s *Service) Workers(ctx context.Context) ([]Worker, error) {
	return s.session.Fleet.Workers(ctx)
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
