package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/godags/godags/tasks"
)

func TestBatch_CountsItsFailures(t *testing.T) {
	simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
		if s.Name == "y" {
			return nil
		}
		return errors.New("it does not work")
	}, func(w *world) {
		rdb := w.connect()
		defer rdb.Close()
		look := asynq.NewInspectorFromRedisClient(rdb)

		shows := func(processed, failed int) {
			w.Helper()
			for begin := time.Now(); ; time.Sleep(time.Millisecond) {
				info, err := look.GetQueueInfo(inRedis)
				w.must(err)
				if info.ProcessedTotal == processed && info.FailedTotal == failed && info.Failed == failed {
					return
				}
				if time.Since(begin) > time.Minute {
					w.Fatalf("asynqmon shows %d tasks, %d failed; want %d and %d", info.ProcessedTotal, info.FailedTotal, processed, failed)
				}
			}
		}
		w.send("1", "s", 1)
		shows(1, 1)
		w.send("2", "join", 1)
		shows(2, 1)
		w.sendBatch("3", 1, "x", "y", "z") // y succeeds: two failures, and one task for the rest
		shows(5, 3)
	})
}
