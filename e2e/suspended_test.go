package e2e

import (
	"syscall"
	"testing"
	"time"
)

// Ctrl-Z, a coffee, fg: no other worker has claimed anything meanwhile, so the stages continue.
func TestASuspendedRunGoesOnWithItsStages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("p.json", file{Stages: []stage{{Name: "a", Run: `echo >>attempts; echo >ready; until [ -e end ]; do sleep 0.05; done`}, {Name: "b", After: []string{"a"}, Run: "true"}}})
	run := w.start("coordinator", "run", "p.json", "--run-id", "r")
	w.await("the stage", func() bool { return w.has("ready") })
	w.signal(run, syscall.SIGSTOP)
	woken := time.Now().Add(4 * time.Second) // a worker counts as dead after 3 s
	w.await("the time", func() bool { return time.Now().After(woken) })
	w.signal(run, syscall.SIGCONT)
	w.await("a heartbeat", func() bool { return len(w.workerPIDs()) == 1 })
	w.write("end", "")
	w.ended(run, 0)
	if got := read(w.dir + "/attempts"); got != "\n" {
		t.Errorf("the stage was executed %d times, want once", len(got))
	}
}
