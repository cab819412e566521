package e2e

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// killWorkerOfVictim kills the worker that executes victim. What it has started dies with it.
func (w *world) killWorkerOfVictim() {
	w.t.Helper()
	w.awaitHeld()
	pid, err := strconv.Atoi(strings.TrimSpace(read(filepath.Join(w.dir, "worker"))))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		w.t.Fatal(err)
	}
	w.dead("victim.1")
}

// checkRerun lets the stages of a run go on to their end, and finds out whether victim, and nothing
// else, was executed a second time, by another worker.
func (w *world) checkRerun(run *process) {
	w.t.Helper()
	w.await("attempt 2", func() bool { return w.exists("victim.2") })
	w.write("go", "")
	w.ended(run, 0)
	story, worker := make(map[string][]string), make(map[int]string)
	for _, e := range w.parse(run.stderr()) {
		if e.Stage != "" {
			story[e.Stage] = append(story[e.Stage], fmt.Sprintf("%s %d", strings.TrimPrefix(e.Type, "stage."), e.Attempt))
		}
		if e.Stage == "victim" && e.Type == "stage.started" {
			worker[e.Attempt] = e.Worker
		}
	}
	if worker[1] == worker[2] {
		w.t.Errorf("the dead worker %s has executed attempt 2", worker[2])
	}
	for stage, want := range map[string]string{
		"victim": "started 1, lost 1, started 2, succeeded 2", "witness": "started 1, succeeded 1", "after": "started 1, succeeded 1",
	} {
		if got := strings.Join(story[stage], ", "); got != want {
			w.t.Errorf("%s: %s; want %s", stage, got, want)
		}
	}
}

func TestAKilledWorkerOfOurOwnIsReplacedAndItsStageRunsAgain(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"given Redis": (*world).useRedis, "private Redis": (*world).needRedis, "Redis in the process": (*world).hideRedis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			prepare(w)
			w.write("held.json", held)
			run := w.start("coordinator", "run", "held.json", "--workers", "2", "--progress", "json")
			w.killWorkerOfVictim()
			w.checkRerun(run)
		})
	}
}

func TestAKilledWorkerThatNobodySupervisesIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", held)
	w.start("worker", "--name", "one")
	w.start("worker", "--name", "two")
	run := w.start("coordinator", "run", "held.json", "--progress", "json")
	w.killWorkerOfVictim()
	w.start("worker", "--name", "three")
	w.checkRerun(run)
}

func TestAStageThatKillsItsWorkersIsPoisonAndOthersGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	// The stage goes on for a moment first: what a command has started by the very instant in which
	// it kills its worker may go on.
	w.write("poison.json", `{"stages": [
		{"name": "poison", "run": "sleep 0.2; kill -KILL $PPID; sleep 600"},
		{"name": "first", "run": "until [ -e go ]; do sleep 0.05; done"},
		{"name": "second", "after": "first", "task": "noop"}
	]}`)
	run := w.start("coordinator", "run", "poison.json", "--run-id", "poison", "--workers", "2")
	w.awaitEvent("poison", "stage.failed", "poison")
	w.write("go", "")
	w.ended(run, 1)
	for _, want := range []string{"poison: 3 workers died while they executed it", "2 succeeded · 1 failed · 2 retried"} {
		if !strings.Contains(run.stdout(), want) {
			t.Errorf("the summary does not say %q", want)
		}
	}
}

func TestAKilledCoordinatorLeavesAReadableJournalAndWorkersThatFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", held)
	w.start("worker", "--concurrency", "2")
	run := w.runHeld()
	run.kill()
	w.awaitState("held", "stalled")
	w.write("go", "") // the workers continue their stages
	w.awaitEvent("held", "stage.succeeded", "witness")
	if status := w.coordinator("status", "held"); !strings.Contains(status, "The coordinator of this run is dead") {
		t.Errorf("status does not say that the coordinator is dead:\n%s", status)
	}
	for _, e := range w.events("held") {
		if e.Stage == "after" || e.Attempt > 1 {
			t.Errorf("%+v: no coordinator was there to decide this", e)
		}
	}
}

func TestAKilledCommandWithEverythingInOneProcessCanBeLookedAtNextDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("held.json", held)
	run := w.runHeld("--concurrency", "2")
	run.kill()
	w.dead("victim.1")
	w.dead("witness.1")
	w.awaitState("held", "stalled")
	if started := w.starts("held"); len(started) != 2 {
		t.Errorf("%v were started, want victim and witness", started)
	}
	if w.exists(".godags/redis/redis.sock") {
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
