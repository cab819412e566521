package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Due returns finished runs whose time is over, at most limit of them. When there are more, each is as likely to be among those that it returns: some that
// cannot be removed are not in the way of the others for ever.
func (j *Journal) Due(ctx context.Context, limit int64) ([]RunID, error) {
	now := strconv.FormatInt(time.Now().UnixMilli(), 10) // [Journal.Condemn] goes by the clock of Redis
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
	WhenIdle  Condition = "idle"  // nobody drives it
)

// removalTime is how long nobody else removes a run that somebody has begun to remove.
const removalTime = time.Minute

// Condemn begins to remove a run, if the condition holds and nobody else is at it: from now on it is [ErrGone] for everybody, and its id is not free yet.
// It returns the frozen pipeline, for whoever removes the run's values; nil if that is gone. [Journal.Erase] comes next.
func (j *Journal) Condemn(ctx context.Context, run RunID, when Condition) (condemned bool, encoded []byte, err error) {
	token := NewToken()
	got, err := condemnScript.Run(ctx, j.rdb, []string{j.key(run, "run"), j.key(run, "spec")}, string(when), token[:], removalTime.Milliseconds()).Slice()
	if err != nil || len(got) < 2 {
		return false, nil, named(run, err)
	}
	text, _ := got[1].(string)
	return true, []byte(text), nil
}

// Erase removes all that is left of a condemned run. Redis does so in the background.
func (j *Journal) Erase(ctx context.Context, run RunID) error {
	for _, what := range []string{"spec", "journal", "fence", "out", "log", "run"} {
		if err := j.rdb.Unlink(ctx, j.key(run, what)).Err(); err != nil {
			return named(run, fmt.Errorf("remove: %w", err))
		}
	}
	return j.unlist(ctx, run, runsKey, openKey, endedKey)
}
