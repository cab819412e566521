package faults

import (
	"strings"
	"testing"
	"time"
)

// resume goes on with a run.
func (w *world) resume(url string) *process {
	w.t.Helper()
	return w.start(url, "coordinator", "resume", w.id, "--progress", "json")
}

// 6: the coordinator is killed while stages run. Workers finish what they hold; resume goes on within 5 s, and executes nothing again.
func TestAKilledCoordinator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker(w.redis.URL())
	run := w.run(w.redis.URL(), w.id, single)
	w.pid("only.1")
	run.kill()
	w.goOn()
	w.find(w.id, "stage.succeeded", "only", 1)
	at := time.Now()
	resumed := w.resume(w.redis.URL())
	w.within("resume was called after a coordinator was killed", w.find(w.id, "stage.started", "after", 1).Time.Sub(at), 5*time.Second)
	w.exits(resumed, 0)
	w.check(w.id, single, 0, quickly)
}

// 6, with a second coordinator that follows the run and takes over by itself.
func TestAKilledCoordinatorWithAStandby(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker(w.redis.URL())
	stages := busy(40, 3)
	run := w.run(w.redis.URL(), w.id, stages)
	w.progressed(w.id, 5)
	standby := w.start(w.redis.URL(), "coordinator", "run", w.id+".json", "--run-id", w.id, "--progress", "json")
	w.await("a standby", func() bool { return strings.Contains(standby.stderr(), "following it") })
	run.kill()
	at := time.Now()
	w.await("a standby that goes on", func() bool { return strings.Contains(standby.stderr(), "going on with it") })
	w.within("a coordinator with a standby was killed", time.Since(at), 5*time.Second)
	w.exits(standby, 0)
	w.check(w.id, stages, 0, 0)
}

// 8: a coordinator is stopped until another has taken over, and goes on. It is refused, and nothing that it does has an effect.
func TestACoordinatorThatIsStoppedAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.worker(w.redis.URL())
	}
	stages := busy(60, 3)
	run := w.run(w.redis.URL(), w.id, stages)
	w.progressed(w.id, 5)
	run.signal(sigstop)
	resumed := w.resume(w.redis.URL())
	w.await("the end of the lease", func() bool { return strings.Contains(resumed.stderr(), "stage.") })
	run.signal(sigcont)
	w.await("the first one gives up or follows", func() bool {
		return run.ended() || strings.Contains(run.stderr(), "follow")
	})
	w.exits(resumed, 0)
	w.check(w.id, stages, 0, 0)
}

// 9: everything is killed but Redis, and started again. What has ended is not executed again.
func TestEverythingIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.worker(w.redis.URL())
	}
	stages := busy(12, 3)
	run := w.run(w.redis.URL(), w.id, stages)
	w.progressed(w.id, 10)
	run.kill()
	for _, one := range w.workers {
		one.kill()
	}
	before := w.events(w.id)
	for range 2 {
		w.worker(w.redis.URL())
	}
	w.exits(w.resume(w.redis.URL()), 0)
	w.check(w.id, stages, 1, quickly)
	for _, e := range w.events(w.id)[len(before):] {
		for _, ended := range before {
			if e.Type == "stage.started" && ended.Type == "stage.succeeded" && e.Stage == ended.Stage {
				t.Errorf("%s is executed again", e.Stage)
			}
		}
	}
}

// 23: of two commands that run the same pipeline under the same id one drives the run, and the other follows it to its end.
func TestTwoCommandsWithTheSameRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker(w.redis.URL())
	stages := busy(6, 3)
	one := w.run(w.redis.URL(), w.id, stages)
	two := w.run(w.redis.URL(), w.id, stages)
	w.exits(one, 0)
	w.exits(two, 0)
	w.check(w.id, stages, 0, quickly)
}
