package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// held has two stages side by side that go on until there is a file "go", and one after them. The first attempt of victim never ends.
const held = `{"stages": [
	{"name": "victim", "run": "echo $$ >victim.$GODAGS_ATTEMPT; until [ -e go ] && [ $GODAGS_ATTEMPT -gt 1 ]; do sleep 0.05; done"},
	{"name": "witness", "run": "echo $$ >witness.$GODAGS_ATTEMPT; until [ -e go ]; do sleep 0.05; done"},
	{"name": "after", "after": ["victim", "witness"], "task": "noop"}
]}`

// killWorkerOf kills the worker that executes the first attempt of a stage, and returns its id.
func (w *world) killWorkerOf(run, stage string) string {
	w.t.Helper()
	w.await("the stages run", func() bool { return w.exists("victim.1") && w.exists("witness.1") })
	id := w.awaitEvent(run, "stage.started", stage).Worker
	pid := w.workerPIDs()[id]
	if pid == 0 {
		w.t.Fatalf("no live worker %s", id)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// checkRerun finds out whether victim, and nothing else, was executed a second time, by another worker.
func (w *world) checkRerun(run, killed string) {
	w.t.Helper()
	attempts := make(map[string][]string)
	for _, e := range w.events(run) {
		if e.Stage != "" {
			attempts[e.Stage] = append(attempts[e.Stage], strings.TrimPrefix(e.Type, "stage.")+" "+string(rune('0'+e.Attempt)))
		}
		if e.Stage == "victim" && e.Attempt == 2 && e.Worker == killed {
			w.t.Errorf("the dead worker %s has executed attempt 2", killed)
		}
	}
	for stage, want := range map[string]string{
		"victim": "started 1, lost 1, started 2, succeeded 2", "witness": "started 1, succeeded 1", "after": "started 1, succeeded 1",
	} {
		if got := strings.Join(attempts[stage], ", "); got != want {
			w.t.Errorf("%s: %s; want %s", stage, got, want)
		}
	}
}

// dead waits until the process whose number is in a file does not exist any more.
func (w *world) dead(name string) {
	w.t.Helper()
	pid := strings.TrimSpace(read(filepath.Join(w.dir, name)))
	w.await("the end of process "+pid+", which is that of "+name, func() bool { return !alive(pid) })
}

func TestAKilledWorkerOfOurOwnIsReplacedAndItsStageRunsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", held)
	run := w.start("coordinator", "run", "held.json", "--run-id", "held", "--workers", "2")
	killed := w.killWorkerOf("held", "victim")
	w.dead("victim.1")
	w.await("attempt 2", func() bool { return w.exists("victim.2") })
	w.write("go", "")
	w.ended(run, 0)
	w.checkRerun("held", killed)
}

func TestAKilledWorkerThatNobodySupervisesIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", held)
	w.start("worker", "--name", "one")
	w.start("worker", "--name", "two")
	run := w.start("coordinator", "run", "held.json", "--run-id", "held")
	killed := w.killWorkerOf("held", "victim")
	w.dead("victim.1")
	w.start("worker", "--name", "three")
	w.await("attempt 2", func() bool { return w.exists("victim.2") })
	w.write("go", "")
	w.ended(run, 0)
	w.checkRerun("held", killed)
}

func TestAStageThatKillsItsWorkersIsPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("poison.json", `{"stages": [{"name": "poison", "run": "kill -KILL $PPID; sleep 600"}, {"name": "other", "task": "noop"}]}`)
	run := w.start("coordinator", "run", "poison.json", "--run-id", "poison", "--workers", "2")
	w.ended(run, 1)
	if !strings.Contains(run.stdout(), "poison: 3 workers died while they executed it") || !strings.Contains(run.stdout(), "1 succeeded · 1 failed") {
		t.Error("the summary does not tell what happened")
	}
}

func TestAKilledCoordinatorLeavesAReadableJournalAndWorkersThatFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", held)
	w.start("worker", "--concurrency", "2")
	run := w.start("coordinator", "run", "held.json", "--run-id", "held")
	w.await("the stages run", func() bool { return w.exists("victim.1") && w.exists("witness.1") })
	run.kill()
	w.awaitState("held", "stalled")
	w.write("go", "") // the workers go on with what they hold
	w.awaitEvent("held", "stage.succeeded", "witness")
	if status := w.coordinator("status", "held"); !strings.Contains(status, "Nobody drives this run") {
		t.Errorf("status does not say that nobody drives the run:\n%s", status)
	}
	for _, e := range w.events("held") {
		if e.Stage == "after" || e.Attempt > 1 {
			t.Errorf("%+v: nobody was there to decide this", e)
		}
	}
}

func TestAKilledCommandWithEverythingInOneProcessCanBeLookedAtNextDay(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		skip(t, "redis-server")
	}
	w := newWorld(t)
	w.write("held.json", held)
	run := w.start("coordinator", "run", "held.json", "--run-id", "held", "--cores", "2")
	w.await("the stages run", func() bool { return w.exists("victim.1") && w.exists("witness.1") })
	run.kill()
	w.dead("victim.1")
	w.dead("witness.1")
	w.awaitState("held", "stalled")
	started := 0
	for _, e := range w.events("held") {
		if e.Type == "stage.started" {
			started++
		}
	}
	if started != 2 {
		t.Errorf("%d stages were started, want 2", started)
	}
	if _, err := os.Stat(filepath.Join(w.dir, ".godags", "redis", "redis.sock")); err == nil {
		t.Error("the private redis-server was left running")
	}
}

// awaitState waits until the list of runs shows a run in a state.
func (w *world) awaitState(run, state string) {
	w.t.Helper()
	w.await(run+" is "+state, func() bool {
		for line := range strings.Lines(w.coordinator("runs")) {
			if words := strings.Fields(line); words[0] == run && words[2] == state {
				return true
			}
		}
		return false
	})
}
