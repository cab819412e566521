package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Due returns at most limit finished runs whose time is over.
func (j *Remover) Due(ctx context.Context, limit int64) ([]RunID, error) {
	// Both clocks must say so. A clock that is ahead for a moment, as that of Redis may be after a
	// fail-over, must not remove runs that a user wants to keep.
	redisNow, err := j.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("list runs to remove: %w", err)
	}

	now := strconv.FormatInt(min(time.Now().UnixMilli(), redisNow.UnixMilli()), 10)
	n, err := j.rdb.ZCount(ctx, endedKey, "-inf", now).Result()
	var ids []string
	if err == nil && n > 0 {
		// A random page: some runs may be impossible to remove, and with always the first page they
		// would keep all others from their turn.
		page := rand.Int64N((n + limit - 1) / limit)
		due := &redis.ZRangeBy{Min: "-inf", Max: now, Offset: page * limit, Count: limit}
		ids, err = j.rdb.ZRangeByScore(ctx, endedKey, due).Result()
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

// Condition says in which state a run may be removed.
type Condition string

// The states.
const (
	WhenDue   Condition = "due"   // it is finished, and its time is over
	WhenEnded Condition = "ended" // it is finished
	WhenIdle  Condition = "idle"  // it has no coordinator
)

// removalLease is how long a process has the sole right to remove a run.
const removalLease = time.Minute

// Deletion is a run that a process has started to remove.
type Deletion struct {
	Run   RunID
	Spec  []byte // the frozen pipeline, which tells where values are; empty if it is gone
	token Token
}

// MarkDeleted starts the removal of a run, if it is in that state and no other process removes it.
// Otherwise it returns nil. From then on every reader gets [ErrNotFound], while the ID stays taken
// until [Remover.Erase].
func (j *Remover) MarkDeleted(ctx context.Context, run RunID, when Condition) (*Deletion, error) {
	// Two steps, because the values of a run may be in other stores, which no script can clear. The
	// run must be gone for everybody before its first value is, and its keys must stay until the
	// last value is gone: they are what a remover after a crash finds.
	token := NewToken()
	keys := []string{j.key(run, "run"), j.key(run, "spec"), j.key(run, "fence"), j.key(run, "journal")}
	got, err := markDeletedScript.Run(ctx, j.rdb, keys, string(when), token[:], removalLease.Milliseconds()).Slice()
	if err != nil || len(got) < 2 {
		return nil, named(run, err)
	}

	text, _ := got[1].(string)
	return &Deletion{run, []byte(text), token}, nil
}

// Erase removes the keys of a run that is marked deleted, and frees its ID. It does nothing if
// another process has started to remove the run since.
func (j *Remover) Erase(ctx context.Context, d *Deletion) error {
	var keys []string
	for _, what := range []string{"run", "spec", "journal", "fence", "out", "log"} {
		keys = append(keys, j.key(d.Run, what))
	}

	keys = append(keys, runsKey, openKey, endedKey)
	if err := eraseScript.Run(ctx, j.rdb, keys, string(d.Run), d.token[:]).Err(); err != nil {
		return named(d.Run, fmt.Errorf("remove: %w", err))
	}

	return nil
}
