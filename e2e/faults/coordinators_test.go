package faults

import (
	"strings"
	"testing"
	"time"
)

// 6: the coordinator is killed while stages run. Workers finish what they hold; resume goes on
// within 5 s, and executes nothing again.
func TestAKilledCoordinator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker()
	run := w.run(single)
	w.pid("only.1")
	run.kill()
	w.goOn()
	run.succeeded("only")
	at := time.Now()
	resumed := run.resume()
	w.within("resume was called after a coordinator was killed", run.started("after", 1).Sub(at), 5*time.Second)
	resumed.exits(0)
	run.check(0, quickly)
}

// 6, with a second coordinator that follows the run and takes over by itself.
func TestAKilledCoordinatorWithAStandby(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker()
	run := w.run(open(busy(40, 3)))
	run.progressed(5)
	standby := run.again()
	standby.says("following it")
	run.kill()
	at := time.Now()
	standby.says("resuming the run here")
	w.within("a coordinator with a standby was killed", time.Since(at), 5*time.Second)
	w.goOn()
	standby.exits(0)
	run.check(0, 0)
}

// 8: a coordinator is stopped until another has taken over, and goes on. It is refused, and nothing
// that it does has an effect.
func TestACoordinatorThatIsStoppedAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crew(2)
	run := w.run(open(busy(60, 3)))
	run.progressed(5)
	run.signal(sigstop)
	resumed := run.resume()
	w.await("another takes over", func() bool { return w.rdb.HGet(t.Context(), "godags:{"+run.id+"}:run", "epoch").Val() == "2" })
	run.signal(sigcont)
	w.await("the first one gives up or follows", func() bool {
		return run.ended() || strings.Contains(run.stderr(), "follow")
	})
	w.goOn()
	resumed.exits(0)
	run.check(0, 0)
}

// 9: everything is killed but Redis, and started again. What has ended is not executed again.
func TestEverythingIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	workers := w.crew(2)
	run := w.run(open(busy(12, 3)))
	run.progressed(10)
	run.kill()
	for _, one := range workers {
		one.kill()
	}
	before := w.events(run.id)
	w.crew(2)
	w.goOn()
	run.resume().exits(0)
	run.check(1, quickly)
	for _, e := range w.events(run.id)[len(before):] {
		for _, ended := range before {
			if e.Type == "stage.started" && ended.Type == "stage.succeeded" && e.Stage == ended.Stage {
				t.Errorf("%s is executed again", e.Stage)
			}
		}
	}
}

// 23: of two commands that run the same pipeline under the same id one drives the run, and the
// other follows it to its end.
func TestTwoCommandsWithTheSameRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.worker()
	one := w.run(open(busy(6, 3)))
	two := one.again()
	w.await("one follows the other", func() bool { return strings.Contains(one.stderr()+two.stderr(), "following it") })
	w.goOn()
	two.exits(0)
	one.succeeds(0, quickly)
}
