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

// CountFailures makes the attempts of a bundle that failed appear in asynqmon, which shows Asynq's
// counts of tasks: for Asynq, a task that was delivered has succeeded. Each failed attempt counts
// as one task, and all others of the bundle together as one, so that what is shown as succeeded,
// the difference of the two counts, is never negative.
func (c *Client) CountFailures(ctx context.Context, queue string, failed int, others bool) error {
	processed := failed
	if !others {
		processed-- // Asynq counts the bundle itself
	}

	name := c.name(queue)
	now := time.Now()
	_, err := c.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, count := range []struct {
			what string
			n    int
		}{{"processed", processed}, {"failed", failed}} {
			for range count.n { // workers with the documented rights may INCR only
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

// forgetCounts removes the counts of a queue, which Asynq leaves when it removes the queue.
func (c *Client) forgetCounts(ctx context.Context, name string) error {
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
