package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/redistest"
)

func TestStagesAreSentAsTheirDependenciesSucceed(t *testing.T) {
	simulate(t, "a; b: a; c: a; d: b c", func(w *world) {
		w.sent("a#1")
		w.does("a", 1)
		w.sent("b#1", "c#1")
		w.does("b", 1)
		w.sent()
		w.does("c", 1)
		w.sent("d#1")
		w.does("d", 1)
		w.ends(nil)
	})
}

func TestTheLongestWayToGoComesFirst(t *testing.T) {
	simulate(t, "x; y; z; a; b: a; c: b", func(w *world) {
		w.sent("a#1", "x#1", "y#1", "z#1") // one worker with one slot: a window of four
		w.does("a", 1)
		w.sent("b#1")
	})
}

func TestNoMoreIsSentThanThereAreWorkersFor(t *testing.T) {
	simulate(t, "a; b; c; d; e; f; g; h", func(w *world) {
		w.sent("a#1", "b#1", "c#1", "d#1")
		w.does("a", 1)
		w.sent("e#1")
		w.beat("w2", "default") // the window widens by two
		w.keepAlive("w1", time.Second)
		w.sent("f#1", "g#1")
	})
}

func TestAFailureSkipsWhatComesAfterIt(t *testing.T) {
	simulate(t, "a; b: a; c: b; d", func(w *world) {
		w.sent("a#1", "d#1")
		w.claim("w1", "a", 1)
		w.report("a", 1, journal.StageFailed)
		w.sent()
		w.does("d", 1)
		w.ends(nil)
		if got := w.story(); got != "run.submitted a.started a.failed b.skipped c.skipped d.started d.succeeded run.finished" {
			w.Fatal(got)
		}
	})
}

func TestAStageWhoseWorkerFallsSilentRunsAgain(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1")
		w.beat("w2", "default")
		w.claim("w2", "a", 1)
		w.claim("w1", "b", 1)
		begin := time.Now()
		for len(w.queue.order) == 0 {
			w.keepAlive("w1", fleet.HeartbeatInterval)
			if time.Since(begin) > time.Minute {
				w.Fatal("never sent again: " + w.story())
			}
		}
		if took := time.Since(begin); took < fleet.WorkerTTL || took > 5*time.Second {
			w.Errorf("sent again after %s", took)
		}
		w.sent("a#2")
		if w.report("a", 1, journal.StageSucceeded) {
			w.Error("the silent worker's report was accepted")
		}
		w.does("a", 2)
		w.report("b", 1, journal.StageSucceeded)
		w.ends(nil)
	})
}

func TestAStageWhoseWorkerIsKnownToBeDeadRunsAgainAtOnce(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		w.pass(time.Millisecond)
		w.dead <- "w1"
		w.sent("a#2")
	})
}

func TestAStageThatKillsItsWorkersFails(t *testing.T) {
	simulate(t, "a; b: a", func(w *world) {
		for i := 1; i <= maxCrashes; i++ {
			w.sent(fmt.Sprintf("a#%d", i))
			w.claim("w1", "a", i)
			w.pass(time.Millisecond)
			w.dead <- "w1"
		}
		w.ends(nil)
		if got := w.story(); !strings.HasSuffix(got, "a.started a.failed b.skipped run.finished") {
			w.Fatal(got)
		}
	})
}

// An attempt that its worker has given up is neither a failure nor a crash. If all of a stage's
// are, the next ones come later and later.
func TestDriver_DelaysAStageThatLosesItsAttempts(t *testing.T) {
	simulate(t, "a", func(w *world) {
		last := 2*maxCrashes + 4
		for i := 1; i < last; i++ {
			if pauses := i - 1 - freeLosses; pauses > 0 {
				pause := min(lastPause, firstPause<<(pauses-1))
				w.keepAlive("w1", pause-time.Second/2)
				w.sent()
				w.keepAlive("w1", time.Second)
			}
			w.sent(fmt.Sprintf("a#%d", i))
			w.claim("w1", "a", i)
			w.report("a", i, journal.StageLost)
			w.pass(time.Millisecond)
		}
		w.keepAlive("w1", 2*lastPause)
		w.sent(fmt.Sprintf("a#%d", last))
		w.does("a", last)
		w.ends(nil)
	})
}

func TestATaskThatVanishedFromTheQueueIsSentAgain(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1") // taken, and forgotten
		w.claim("w1", "b", 1)
		w.keepAlive("w1", unclaimedAfter+time.Second)
		w.sent("a#1~1")
	})
}

func TestATaskThatWaitsInTheQueueIsNotSentAgain(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.keepAlive("w1", 5*unclaimedAfter)
		w.sent("a#1")
	})
}

func TestWhatTheQueueRefusedIsSentLater(t *testing.T) {
	simulate(t, "a; b: a", func(w *world) {
		w.sent("a#1")
		w.queue.failing = true
		w.does("a", 1)
		w.sent()
		w.queue.failing = false
		w.keepAlive("w1", unclaimedAfter+time.Second)
		w.sent("b#1~1")
	})
}

func TestAnotherCoordinatorGoesOnWhereTheFirstOneStopped(t *testing.T) {
	simulate(t, "a; b: a; c: b; d", func(w *world) {
		w.sent("a#1", "d#1")
		w.does("a", 1)
		w.sent("b#1")
		w.claim("w1", "d", 1)
		w.stop(errors.New("crash"))
		w.does("b", 1) // reported while the run has no coordinator
		w.pass(Lease)
		w.pass(time.Second)
		w.beat("w1", "default")
		epoch, err := w.journal.Acquire(w.Context(), w.run, "c2", Lease)
		w.must(err)
		w.drive("c2", epoch)
		w.sent("c#1")
		w.does("c", 1)
		w.report("d", 1, journal.StageSucceeded)
		w.ends(nil)
		if got := w.story(); strings.Count(got, "started") != 4 {
			w.Fatal(got)
		}
	})
}

func TestACoordinatorThatLostItsLeaseStops(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		// Its renewals did not get through for longer than the lease: another one took over.
		w.must(w.journal.Renew(w.Context(), w.run, "c1", -time.Second, 1))
		_, err := w.journal.Acquire(w.Context(), w.run, "c2", Lease)
		w.must(err)
		w.ends(journal.ErrFenced)
	})
}

func TestWhenRedisLosesTheRunTheDriverSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rdb := redistest.Mini(t)
		w := &world{T: t, journal: journal.New(rdb), fleet: fleet.New(rdb), run: "r", queue: &fakeQueue{bundles: make(map[string]queue.Batch)}, spec: pipeline(t, "a")}
		encoded, err := w.spec.Encode()
		w.must(err)
		epoch, err := w.journal.Submit(t.Context(), journal.Submission{Run: "r", Stages: 1, Digest: "d", Spec: encoded, Coordinator: "c", Lease: Lease})
		w.must(err)
		w.drive("c", epoch)
		w.pass(time.Second)
		w.must(rdb.FlushAll(t.Context()).Err())
		w.ends(journal.ErrNotFound)
		time.Sleep(time.Minute)
	})
}

func TestCancellingEndsWhatDoesNotRunAndWaitsForTheRest(t *testing.T) {
	simulate(t, "a; b: a; c; d: c", func(w *world) {
		w.sent("a#1", "c#1")
		w.claim("w1", "a", 1)
		_, err := w.journal.RequestCancel(w.Context(), w.run, "enough")
		w.must(err)
		w.pass(time.Millisecond)
		if w.claim("w1", "c", 1) {
			t.Error("a stage was claimed after the cancellation")
		}
		w.report("a", 1, journal.StageCancelled)
		w.ends(nil)
		if got := w.story(); got != "run.submitted a.started run.cancelling b.cancelled c.cancelled d.cancelled a.cancelled run.finished" {
			w.Fatal(got)
		}
	})
}

func TestACancelledRunLeavesNothingInTheQueue(t *testing.T) {
	simulate(t, "a; b; c", func(w *world) {
		w.pass(time.Millisecond)
		_, err := w.journal.RequestCancel(w.Context(), w.run, "enough")
		w.must(err)
		w.ends(nil)
		w.sent()
	})
}

func TestAStageThatDoesNotStopIsEndedByForce(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		_, err := w.journal.RequestCancel(w.Context(), w.run, "enough")
		w.must(err)
		w.keepAlive("w1", 12*time.Second)
		w.ends(nil)
		if w.report("a", 1, journal.StageSucceeded) {
			w.Error("its late report was accepted")
		}
	})
}

// A user who has pressed Ctrl-C twice does not wait for the grace.
func TestInAHurryNoStageIsWaitedFor(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		_, err := w.journal.RequestCancel(w.Context(), w.run, "enough")
		w.must(err)
		w.pass(time.Second)
		close(w.hurry)
		w.pass(time.Millisecond)
		w.ends(nil)
	})
}

func TestAQueueThatNobodyListensToIsNamed(t *testing.T) {
	simulate(t, "a@gpu; b", func(w *world) {
		w.keepAlive("w1", 4*time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.served) != 1 || w.served[0].Queue != "gpu" || w.served[0].Stages != 1 || w.served[0].For < 3*time.Second {
			w.Fatalf("%+v", w.served)
		}
	})
}

// A worker with another key would refuse what it takes.
func TestWorkersWithAnotherKeyDoNotCount(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		for range 8 {
			w.must(w.fleet.Heartbeat(w.Context(), fleet.Worker{ID: "w1", Queues: []string{"default"}, Slots: 4, Key: "other"}))
			w.pass(fleet.HeartbeatInterval)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.served) != 1 || w.served[0].Stages != 2 || !slices.Equal(w.served[0].KeyMismatch, []string{"w1"}) {
			w.Fatalf("%+v", w.served)
		}
	})
}

// Workers refuse what they are sent: to send it again and again would never end.
func TestARunWhoseSpecWasChangedInRedisIsLeft(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.must(w.rdb.Set(w.Context(), "godags:{r}:spec", "something else", 0).Err())
		w.sent("a#1") // and taken
		w.keepAlive("w1", 4*time.Second)
		w.ends(journal.ErrDigest)
	})
}

// A record of a stage that the run does not have, and one that does not decode.
func TestARunWithADamagedJournalIsLeftAsItIs(t *testing.T) {
	for _, records := range []string{"\x02\xff\x01\x01\x00", "\x02\x00"} {
		simulate(t, "a", func(w *world) {
			w.sent("a#1")
			damaged := w.rdb.XAdd(w.Context(), &redis.XAddArgs{Stream: "godags:{r}:journal", Values: []any{"w", "w1", "r", records}})
			w.must(damaged.Err())
			w.pass(tickEvery)
			select {
			case err := <-w.done:
				if !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), damaged.Val()) {
					w.Errorf("%v, want one about entry %s", err, damaged.Val())
				}
				w.done <- err
			default:
				w.Error("the driver goes on")
			}
		})
	}
}

// loseLastEntry takes the last entry out of the journal, and with it what it did to the fence: as a
// crash of Redis does.
func (w *world) loseLastEntry() {
	w.Helper()
	last, err := w.rdb.XRevRangeN(w.Context(), "godags:{r}:journal", "+", "-", 1).Result()
	w.must(err)
	w.must(w.rdb.XDel(w.Context(), "godags:{r}:journal", last[0].ID).Err())
	w.must(w.rdb.Del(w.Context(), "godags:{r}:fence").Err())
}

func TestWhenRedisLosesTheEndOfTheJournalTheDriverGoesOnFromWhatThereIs(t *testing.T) {
	simulate(t, "a; b: a", func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		w.pass(time.Millisecond)
		w.loseLastEntry()
		w.keepAlive("w1", time.Second)
		w.sent("a#1")
		w.does("a", 1)
		w.sent("b#1")
		w.does("b", 1)
		w.ends(nil)
	})
}

// settledAfter is more than the time after a claim for which a fleet.Monitor waits.
const settledAfter = 3 * time.Second

func TestAnAttemptThatItsWorkerDoesNotHaveIsLost(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1")
		w.claim("w1", "a", 1)
		w.claim("w1", "b", 1)
		b := w.attempt("b", 1)
		for range 2 * int(settledAfter/fleet.HeartbeatInterval) {
			w.must(w.fleet.Heartbeat(w.Context(), fleet.Worker{ID: "w1", Queues: []string{"default"}, Slots: 1,
				Workload: fleet.Workload{Holds: map[journal.RunID][]journal.AttemptID{"r": {b}}}}))
			w.pass(fleet.HeartbeatInterval)
		}
		w.sent("a#2")
		if got := w.story(); strings.Count(got, "lost") != 1 {
			w.Fatal(got)
		}
		for i := 2; i <= maxCrashes; i++ { // it did not crash, however often
			w.claim("w1", "a", i)
			for range 2 * int(settledAfter/fleet.HeartbeatInterval) {
				w.must(w.fleet.Heartbeat(w.Context(), fleet.Worker{ID: "w1", Queues: []string{"default"}, Slots: 1,
					Workload: fleet.Workload{Holds: map[journal.RunID][]journal.AttemptID{"r": {b}}}}))
				w.pass(fleet.HeartbeatInterval)
			}
			w.sent(fmt.Sprintf("a#%d", i+1))
		}
	})
}

// A Redis whose AOF was cut off within a transaction may bring back the part of it that changes the
// fence, without its entry in the journal.
func TestAFenceThatKnowsMoreThanTheJournalIsMended(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1")
		w.claim("w1", "b", 1)
		w.stop(errors.New("killed"))
		<-w.done
		w.forgotten(func() { w.claim("w1", "a", 1) })
		w.forgotten(func() { w.report("b", 1, journal.StageSucceeded) })
		w.drive("c1", 1)
		w.sent("a#1")
		w.keepAlive("w1", unclaimedAfter+time.Second)
		w.sent("a#1~1")
		w.does("a", 1)
		w.pass(10 * time.Second) // w1 falls silent
		w.beat("w2", "default")
		w.pass(time.Second)
		w.sent("b#2~1")
		w.does("b", 2)
		w.ends(nil)
	})
}

// forgotten takes the entry of what happens out of the journal.
func (w *world) forgotten(happens func()) {
	w.Helper()
	happens()
	key := w.rdb.Keys(w.Context(), "*journal").Val()[0]
	last := w.rdb.XRevRangeN(w.Context(), key, "+", "-", 1).Val()[0]
	w.must(w.rdb.XDel(w.Context(), key, last.ID).Err())
}
