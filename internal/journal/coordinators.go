package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// CoordinatorInfo is what a coordinator that serves says of itself.
type CoordinatorInfo struct {
	ID      string        `json:"-"`
	Age     time.Duration `json:"-"` // since its last beat, by the clock of Redis
	Host    string        `json:"host"`
	PID     int           `json:"pid"`
	Runs    int           `json:"runs"`    // that it drives now
	Version string        `json:"version"` // of godags
	Started time.Time     `json:"started"` // by its own clock
}

// BeatCoordinator says that a coordinator serves.
func (j *Journal) BeatCoordinator(ctx context.Context, c CoordinatorInfo) error {
	if err := j.beat(ctx, coordinatorsKey, c.ID, c); err != nil {
		return fmt.Errorf("coordinator %s: heartbeat: %w", c.ID, err)
	}
	return nil
}

// LeaveCoordinator takes a coordinator off the list.
func (j *Journal) LeaveCoordinator(ctx context.Context, id string) error {
	if err := j.rdb.HDel(ctx, coordinatorsKey, id).Err(); err != nil {
		return fmt.Errorf("coordinator %s: leave: %w", id, err)
	}
	return nil
}

// Coordinators lists the coordinators that serve: those that have said so within [WorkerTTL].
func (j *Journal) Coordinators(ctx context.Context) ([]CoordinatorInfo, error) {
	var list []CoordinatorInfo
	err := j.heard(ctx, coordinatorsKey, func(id string, age time.Duration, info []byte) {
		c := CoordinatorInfo{}
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

// beat writes what somebody says of themselves into a list, with the time.
func (j *Journal) beat(ctx context.Context, list, id string, info any) error {
	text, err := json.Marshal(info)
	if err != nil {
		return err
	}
	return beatScript.Run(ctx, j.rdb, []string{list}, id, text).Err()
}

// heard goes through a list and forgets who has said nothing for a minute.
func (j *Journal) heard(ctx context.Context, list string, each func(id string, age time.Duration, info []byte)) error {
	got, err := workersScript.Run(ctx, j.rdb, []string{list}, time.Minute.Milliseconds()).Slice()
	if err != nil {
		return err
	}

	for ; len(got) >= 3; got = got[3:] {
		if info, ok := got[2].(string); ok {
			each(got[0].(string), time.Duration(got[1].(int64))*time.Millisecond, []byte(info))
		}
	}

	return nil
}
