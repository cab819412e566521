package worker

import (
	"testing"
	"time"
)

// Another program may have the handler. If none has, the coordinator finds that the task is gone.
func TestBatch_RequeuesAStageWithoutAHandler(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "unknown", 1)
		time.Sleep(20 * time.Millisecond)
		w.send("2", "s", 1) // the slot is free during the pause
		w.tells("s started, s succeeded")
		time.Sleep(time.Second)
		if _, err := w.mini.List("asynq:{" + inRedis + "}:active"); err != nil {
			w.Errorf("after a second it was not given back any more: %v", err)
		}
		time.Sleep(9 * time.Second)
		if names, err := w.requeued(); err == nil {
			w.Errorf("after ten seconds it still goes round: %q", names)
		}
		w.tells("s started, s succeeded")
	})
}

func TestBatch_ExecutesTheStagesWithAHandler(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.sendBatch("1", 1, "unknown", "x", "y")
		w.tells("x started, x succeeded, y started, y succeeded")
	})
}

func TestWorker_PublishesItsHandlers(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		list, err := w.fleet.Workers(w.Context())
		w.must(err)
		tasks, err := w.fleet.Handlers(w.Context(), list[0].Handlers)
		w.must(err)
		if !tasks["task"] || !tasks["command"] || tasks["an unknown task"] {
			w.Errorf("it says %v", tasks)
		}
	})
}
