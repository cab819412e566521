package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// countsKept is how long Asynq keeps the counts of a day.
const countsKept = 90 * 24 * time.Hour

// dailyCountKey is where Asynq counts tasks of a queue for one day.
func dailyCountKey(name, what string, day time.Time) string {
	return asynqKey(name, what) + ":" + day.UTC().Format(time.DateOnly)
}

// CountFailures makes failed attempts of a batch appear in asynqmon, which shows Asynq's counts of
// tasks. Without it every delivered task counts as succeeded.
func (c *Client) CountFailures(ctx context.Context, queue string, failed int, others bool) error {
	// asynqmon shows the difference of the two counts as succeeded, which must not be negative. So
	// each failed attempt counts as one task, and all others of the batch together as one. Asynq
	// itself counts the batch as one processed task.
	processed := failed
	if !others {
		processed--
	}

	name := c.name(queue)
	now := time.Now()
	_, err := c.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, count := range []struct {
			what string
			n    int
		}{{"processed", processed}, {"failed", failed}} {
			// Not INCRBY: workers with the documented rights may only INCR.
			for range count.n {
				pipe.Incr(ctx, asynqKey(name, count.what))
				pipe.Incr(ctx, dailyCountKey(name, count.what, now))
			}
			if count.n > 0 {
				pipe.ExpireAt(ctx, dailyCountKey(name, count.what, now), now.Add(countsKept))
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("count failures of queue %s: %w", name, err)
	}

	return nil
}

// removeCounts removes the counts of a queue, which Asynq leaves when it removes the queue.
func (c *Client) removeCounts(ctx context.Context, name string) error {
	// All days for which counts can still exist, by name: a search through all keys of a Redis may
	// take long, and its user may lack the right to it.
	var keys []string
	now := time.Now()
	for _, what := range []string{"processed", "failed"} {
		keys = append(keys, asynqKey(name, what))
		for age := time.Duration(0); age <= countsKept; age += 24 * time.Hour {
			keys = append(keys, dailyCountKey(name, what, now.Add(-age)))
		}
	}

	return c.rdb.Del(ctx, keys...).Err()
}
