package journal

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Denied returns what the user of the connection may not do of all that a coordinator does:
// commands with their keys, or what Redis says.
func (j *Journal) Denied(ctx context.Context) ([]string, error) {
	const unusedID = "doctor?" // no run can have this id
	var keys []string
	for _, what := range []string{"run", "spec", "journal", "fence"} {
		keys = append(keys, j.key(unusedID, what))
	}

	denied, err := probeScript.Run(ctx, j.rdb, append(keys, runsKey, openKey, endedKey)).StringSlice()
	if redis.IsPermissionError(err) {
		return []string{err.Error()}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("try what the user may do: %w", err)
	}

	return denied, nil
}
