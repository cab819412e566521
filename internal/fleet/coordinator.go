package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Coordinator describes a coordinator that serves, as of its last heartbeat.
type Coordinator struct {
	ID      string        `json:"-"`
	Age     time.Duration `json:"-"` // of the last heartbeat, by the clock of Redis
	Host    string        `json:"host"`
	PID     int           `json:"pid"`
	Runs    int           `json:"runs"`    // runs that it owns
	Version string        `json:"version"` // of godags
	Started time.Time     `json:"started"` // by its own clock
}

// CoordinatorHeartbeat records that a coordinator is alive.
func (f *Fleet) CoordinatorHeartbeat(ctx context.Context, c Coordinator) error {
	if err := f.heartbeat(ctx, coordinatorsKey, c.ID, c); err != nil {
		return fmt.Errorf("coordinator %s: heartbeat: %w", c.ID, err)
	}
	return nil
}

// RemoveCoordinator removes a coordinator from the list. It may already be gone.
func (f *Fleet) RemoveCoordinator(ctx context.Context, id string) error {
	if err := f.rdb.HDel(ctx, coordinatorsKey, id).Err(); err != nil {
		return fmt.Errorf("coordinator %s: leave: %w", id, err)
	}
	return nil
}

// Coordinators lists the live coordinators: those with a heartbeat within [WorkerTTL].
func (f *Fleet) Coordinators(ctx context.Context) ([]Coordinator, error) {
	var list []Coordinator
	err := f.members(ctx, coordinatorsKey, func(id string, age time.Duration, info []byte) {
		// A dead coordinator is of no use to the reader of this list. Dead workers are listed,
		// since people look for the reason why a stage waits.
		var c Coordinator
		if age < WorkerTTL && json.Unmarshal(info, &c) == nil {
			c.ID = id
			c.Age = age
			list = append(list, c)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list coordinators: %w", err)
	}

	return list, nil
}
