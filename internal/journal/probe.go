package journal

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Denied lists what the Redis user of this connection may not do, although a coordinator needs it:
// commands with their keys, or the answer of Redis if the user may not run scripts at all.
func (j *Journal) Denied(ctx context.Context) ([]string, error) {
	// The script writes and deletes for real: Redis 6.2 checks rights only when it executes a
	// command. No run can have this ID, so the keys belong to no run.
	const unusedID = "doctor?"
	var keys []string
	for _, what := range []string{"run", "spec", "journal", "fence"} {
		keys = append(keys, j.key(unusedID, what))
	}

	denied, err := probeScript.Run(ctx, j.rdb, append(keys, runsKey, openKey, endedKey)).StringSlice()
	if redis.IsPermissionError(err) {
		return []string{err.Error()}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check the rights of the Redis user: %w", err)
	}

	return denied, nil
}
