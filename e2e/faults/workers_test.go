package faults

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godags/godags/internal/queue"
)

// killWorkerOfVictim kills the worker that executes victim, and says when.
func (w *world) killWorkerOfVictim() time.Time {
	w.t.Helper()
	w.pid("witness.1")
	w.pid("victim.1")
	at := time.Now()
	w.must(syscall.Kill(w.pid("worker.1"), syscall.SIGKILL))
	return at
}

// 1: the stage runs again within 1 s; others are untouched; what the worker had started is gone.
func TestAKilledWorkerOfOurOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := w.run(held, "--workers", "2")
	at := w.killWorkerOfVictim()
	w.within("a supervised worker was killed", run.started("victim", 2).Sub(at), time.Second)
	w.gone("victim.1")
	w.goOn()
	run.succeeds(1, quickly)
	run.lost(1)
}

// 2: the stage runs again within 5 s.
func TestAKilledWorkerThatNobodySupervises(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crew(3)
	run := w.run(held)
	at := w.killWorkerOfVictim()
	w.within("an unsupervised worker was killed", run.started("victim", 2).Sub(at), 5*time.Second)
	w.goOn()
	run.succeeds(1, quickly)
	run.lost(1)
}

// 3: the worker has reported, and dies before it tells Asynq so. When Asynq delivers the task
// again, nothing is executed again.
func TestAWorkerKilledBetweenReportAndDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	victim := w.workerAt(p.url())
	run := w.run(single)
	w.pid("only.1")
	p.look(":processed:", true) // only the script by which Asynq ends a task names this key
	w.goOn()
	run.succeeded("only")
	w.await("the end of the task on its way to Redis", func() bool { return p.seen() > 0 })
	victim.kill()
	w.worker()
	run.exits(0)
	task := queue.TaskID(w.id, "only", 1)
	w.redeliver(task)
	w.await("the end of the task that was delivered again", func() bool { return w.rdb.Exists(t.Context(), w.queue()+"t:"+task).Val() == 0 })
	// it may have had the next stage already, which is then executed elsewhere
	run.check(1, quickly)
	w.ran("only", 1)
}

// 4: the stage has ended, and its worker dies before it reports. It is executed once more, and
// recorded once.
func TestAWorkerKilledBetweenTheEndOfAStageAndItsReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	victim := w.workerAt(p.url())
	only := single[0]
	only.Run += "; echo the outcome >$GODAGS_OUTPUT"
	run := w.run([]stage{only, single[1]})
	w.pid("only.1")
	p.look("the outcome", true)
	w.goOn()
	w.await("the report on its way to Redis", func() bool { return p.seen() > 0 })
	victim.kill()
	w.worker()
	run.succeeds(1, quickly)
	w.ran("only", 2)
}

// 5: a worker is stopped for 10 s and goes on. Another finishes its stage; what the first reports
// is refused, and what it runs is killed.
func TestAWorkerThatIsStoppedAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.worker()
	run := w.run(held[:1])
	w.pid("victim.1")
	one.signal(sigstop)
	stopped := time.Now()
	w.worker()
	w.within("a worker was stopped", run.started("victim", 2).Sub(stopped), 5*time.Second)
	time.Sleep(time.Until(stopped.Add(10 * time.Second)))
	one.signal(sigcont)
	w.gone("victim.1")
	w.goOn()
	run.succeeds(1, quickly)
	w.await("word of the stage that is given up", func() bool {
		return strings.Contains(one.stderr(), "attempt given up") || strings.Contains(one.stderr(), "report not recorded")
	})
}

// 14: one worker is cut off for 2 s: nothing is executed again.
func TestAWorkerThatIsCutOffForAMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	victim := w.workerAt(p.url())
	run := w.run(single)
	w.pid("only.1")
	w.worker()
	for range 3 {
		w.heartbeat(victim)
		p.cut(up, down)
		time.Sleep(2 * time.Second)
		p.heal()
		time.Sleep(2 * time.Second)
	}
	w.goOn()
	run.succeeds(0, quickly)
}

// 14: one worker is cut off for 20 s: its stage is executed elsewhere, and it stops its own before
// that.
func TestAWorkerThatIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	w.workerAt(p.url())
	run := w.run(held[:1])
	w.pid("victim.1")
	p.cut(up, down)
	at := time.Now()
	w.worker()
	w.gone("victim.1")
	w.within("a worker was cut off", run.started("victim", 2).Sub(at), 5*time.Second)
	time.Sleep(time.Until(at.Add(20 * time.Second)))
	p.heal()
	w.goOn()
	run.succeeds(1, 2*quickly)
}

// 15: everything takes up to 400 ms, and one connection in twenty breaks. No worker is taken for
// dead, and the run ends.
func TestASlowAndUnreliableNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	for range 2 {
		w.workerAt(p.url())
	}
	delay := func() time.Duration { return rand.N(200 * time.Millisecond) } // twice: there and back
	p.slow(delay, 0)
	run := w.runAs(w.id, p.url(), open(busy(3, 3)))
	run.started("s0_0", 1)
	p.slow(delay, 0.05) // not before: a command that cannot submit its run says so, and ends
	run.progressed(9)
	p.slow(delay, 0)
	w.goOn()
	run.succeeds(0, 0)
	run.lost(0) // no worker was taken for dead
}

// 19: a stage that kills its worker each time fails after three; others go on.
func TestAStageThatKillsItsWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stages := append([]stage{
		{Name: "poison", Run: "sleep 0.2; kill -KILL $PPID; sleep 600"},
		{Name: "behind", After: []string{"poison"}, Task: "noop"},
	}, busy(5, 2)...)
	run := w.run(stages, "--workers", "2")
	run.exits(1)
	trial := run.check(3, quickly)
	if trial.Reported["failed"] != 1 || trial.Reported["skipped"] != 1 || trial.Reported["succeeded"] != 10 {
		t.Errorf("%v", trial.Reported)
	}
	if !strings.Contains(run.stderr(), "poison: 3 workers died") {
		t.Error("no message says why it failed")
	}
}

// 22: all workers are replaced one after the other while run follows run: none loses a stage. A
// worker with a stage that does not end is told once more, and then requeues it; the stage
// ignores SIGTERM, and is killed.
func TestWorkersAreReplacedOneByOne(t *testing.T) {
	t.Parallel()
	roll(t, 5, 10*time.Second)
}

func TestAStageThatIgnoresSIGTERMIsHandedBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stubborn := []stage{{Name: "stubborn", Run: "trap '' TERM; echo $$ >stubborn.$GODAGS_ATTEMPT; until [ -e go ]; do sleep 0.05; done"}}
	one := w.worker()
	run := w.run(stubborn)
	w.pid("stubborn.1")
	w.worker()
	one.signal(sigterm)
	one.says("draining")
	one.signal(sigterm)
	<-one.done
	w.gone("stubborn.1")
	run.started("stubborn", 2)
	w.goOn()
	run.succeeds(1, quickly)
}
