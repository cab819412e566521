package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Due returns finished runs whose time is over, at most limit of them. When there are more, each is
// as likely to be among those that it returns: some that cannot be removed are not in the way of
// the others for ever.
func (j *Remover) Due(ctx context.Context, limit int64) ([]RunID, error) {
	// Both clocks must say so: one that is ahead for a moment, as that of Redis may be after a
	// fail-over, must not cost anybody what he wants to keep.
	redisNow, err := j.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("list runs to remove: %w", err)
	}

	now := strconv.FormatInt(min(time.Now().UnixMilli(), redisNow.UnixMilli()), 10)
	n, err := j.rdb.ZCount(ctx, endedKey, "-inf", now).Result()
	var ids []string
	if err == nil && n > 0 {
		page := rand.Int64N((n + limit - 1) / limit)
		ids, err = j.rdb.ZRangeByScore(ctx, endedKey, &redis.ZRangeBy{Min: "-inf", Max: now, Offset: page * limit, Count: limit}).Result()
	}
	if err != nil {
		return nil, fmt.Errorf("list runs to remove: %w", err)
	}

	runs := make([]RunID, len(ids))
	for i, id := range ids {
		runs[i] = RunID(id)
	}
	return runs, nil
}

// Condition says which runs may be removed.
type Condition string

// The conditions.
const (
	WhenDue   Condition = "due"   // it is finished, and its time is over
	WhenEnded Condition = "ended" // it is finished
	WhenIdle  Condition = "idle"  // it has no coordinator
)

// removalLease is how long one process may remove a run before another may.
const removalLease = time.Minute

// Deletion is a run that a process has begun to remove.
type Deletion struct {
	Run   RunID
	Spec  []byte // the frozen pipeline, to find the run's values; empty if that is gone
	token Token
}

// MarkDeleted begins to remove a run, if the condition holds and no other process removes it;
// otherwise it returns nil. From now on the run is [ErrNotFound] for everybody, and its id is not
// free yet. [Journal.Erase] comes next.
func (j *Remover) MarkDeleted(ctx context.Context, run RunID, when Condition) (*Deletion, error) {
	token := NewToken()
	keys := []string{j.key(run, "run"), j.key(run, "spec"), j.key(run, "fence"), j.key(run, "journal")}
	got, err := markDeletedScript.Run(ctx, j.rdb, keys, string(when), token[:], removalLease.Milliseconds()).Slice()
	if err != nil || len(got) < 2 {
		return nil, named(run, err)
	}
	text, _ := got[1].(string)
	return &Deletion{run, []byte(text), token}, nil
}

// Erase removes all that is left of a run that is marked deleted. It does nothing if another
// process has begun to remove the run since.
func (j *Remover) Erase(ctx context.Context, c *Deletion) error {
	var keys []string
	for _, what := range []string{"run", "spec", "journal", "fence", "out", "log"} {
		keys = append(keys, j.key(c.Run, what))
	}

	err := eraseScript.Run(ctx, j.rdb, append(keys, runsKey, openKey, endedKey), string(c.Run), c.token[:]).Err()
	if err != nil {
		return named(c.Run, fmt.Errorf("remove: %w", err))
	}

	return nil
}
