package queue

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/redistest"
)

func TestCountFailures_NeverShowsMoreFailuresThanTasks(t *testing.T) {
	for name, c := range map[string]struct {
		failed    int
		others    bool
		processed int // besides the batch, which Asynq counts itself
	}{
		"the only stage failed":        {1, false, 0},
		"all three failed":             {3, false, 2},
		"three failed, some did not":   {3, true, 3},
		"one failed, another did not":  {1, true, 1},
		"a dozen failed, some did not": {12, true, 12},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
				client := NewClient(rdb, key(t))
				if err := client.EnqueueAll(t.Context(), "q", task("id")); err != nil {
					t.Fatal(err)
				}
				if err := client.CountFailures(t.Context(), "q", c.failed, c.others); err != nil {
					t.Fatal(err)
				}
				info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo(client.name("q"))
				if err != nil {
					t.Fatal(err)
				}
				if info.FailedTotal != c.failed || info.Failed != c.failed || info.ProcessedTotal != c.processed || info.Processed != c.processed {
					t.Errorf("got %d of %d failed, today %d of %d; want %d of %d",
						info.FailedTotal, info.ProcessedTotal, info.Failed, info.Processed, c.failed, c.processed)
				}
				if left := rdb.TTL(t.Context(), dailyCountKey(client.name("q"), "failed", time.Now())).Val(); left < countsKept-time.Hour || left > countsKept {
					t.Errorf("the count of today is kept for %s", left)
				}
			})
		})
	}
}

func TestRemoveQueue_LeavesNoCounts(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		own := NewClient(rdb, key(t)).ForRun("run")
		if err := own.EnqueueAll(t.Context(), "q", task("id")); err != nil {
			t.Fatal(err)
		}
		if err := own.CountFailures(t.Context(), "q", 2, true); err != nil {
			t.Fatal(err)
		}
		old := dailyCountKey(own.name("q"), "processed", time.Now().Add(-countsKept))
		if err := rdb.Set(t.Context(), old, 1, 0).Err(); err != nil {
			t.Fatal(err)
		}

		if err := own.RemoveQueue(t.Context(), "q"); err != nil {
			t.Fatal(err)
		}
		if keys := rdb.Keys(t.Context(), "*").Val(); len(keys) > 0 {
			t.Errorf("still there: %q", keys)
		}
	})
}
