package worker

import (
	"testing"
	"time"
)

// Another program, which has the handler, may take the stage. If none does the coordinator finds
// the task gone.
func TestAStageWithoutAHandlerIsLeftToOthersAndNotFailed(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "unknown", 1)
		time.Sleep(20 * time.Millisecond)
		w.send("2", "s", 1) // the slot is free meanwhile
		w.tells("s started, s succeeded")
		time.Sleep(time.Second)
		if _, err := w.mini.List("asynq:{" + inRedis + "}:active"); err != nil {
			w.Errorf("after a second it was not given back any more: %v", err)
		}
		time.Sleep(9 * time.Second)
		if names, err := w.passedOn(); err == nil {
			w.Errorf("after ten seconds it still goes round: %q", names)
		}
		w.tells("s started, s succeeded")
	})
}

func TestOfABundleAWorkerExecutesWhatItHasHandlersFor(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.bundle("1", 1, "unknown", "x", "y")
		w.tells("x started, x succeeded, y started, y succeeded")
	})
}

func TestAWorkerSaysWhichHandlersItHas(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		list, err := w.fleet.Workers(w.Context())
		w.must(err)
		tasks, err := w.fleet.Handlers(w.Context(), list[0].Handlers)
		w.must(err)
		if !tasks["task"] || !tasks["command"] || tasks["nobody knows it"] {
			w.Errorf("it says %v", tasks)
		}
	})
}
