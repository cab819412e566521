package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

func TestWorker_ExecutesAndRecordsAStage(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		begin := time.Now()
		w.send("1", "s", 1)
		last := w.expect("started succeeded")
		if last.Note != "last line" {
			w.Errorf("note %q", last.Note)
		}
		if took := time.Since(begin); took > 100*time.Millisecond {
			w.Errorf("an idle worker took %s to pick it up", took)
		}
		log, err := w.journal.Log(w.Context(), run, journal.AttemptID{Stage: 0, Attempt: 1})
		outputs := w.outputs(0, 2)
		if err != nil || string(log.Bytes()) != "first\nlast line\n" || outputs[0] != "vjson\n1" || outputs[1] != "" {
			w.Errorf("%q %q %v", log.Bytes(), outputs, err)
		}
	})
}

func TestWorker_ExecutesAJoinPoint(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "join", 1)
		w.expect("started succeeded")
	})
}

func TestTask_IsExecutedOnceIfDeliveredTwice(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "s", 1)
		w.send("2", "s", 1)
		w.send("3", "join", 1) // behind both
		w.expectInAnyOrder("started", "started", "succeeded", "succeeded")
	})
}

func TestTask_IsDroppedForAnotherSpec(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		right := w.digest
		w.digest = strings.Repeat("0", 64)
		w.send("1", "s", 1)
		w.digest = right
		w.send("2", "join", 1)
		w.expect("started succeeded")
		if pending, err := w.queue.Pending("default", "1"); pending || err != nil {
			w.Fatal("it is still there", err)
		}
	})
}

func TestTask_OfNonsenseIsDropped(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		for i, b := range []queue.Batch{{}, {Run: "..", Items: []queue.Item{{}}}, {Run: "gone", Items: []queue.Item{{}}},
			{Run: string(run), Digest: w.digest, Items: []queue.Item{{Stage: 99, Attempt: 1}}}, {Run: string(run), Digest: w.digest}} {
			w.must(w.queue.EnqueueAll(w.Context(), "default", queue.Task{ID: string(rune('a' + i)), Label: "x", Batch: b}))
		}
		w.send("1", "s", 1)
		w.expect("started succeeded")
	})
}

func TestCancel_StopsARunningStage(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		_, err := w.journal.RequestCancel(w.Context(), run, "enough")
		w.must(err)
		begin := time.Now()
		w.expect("started run.cancelling cancelled")
		if took := time.Since(begin); took > time.Second {
			w.Errorf("it took %s", took)
		}
	})
}

func TestRevoke_StopsTheAttemptWithoutAReport(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.must(w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.Revoke, Record: journal.Record{Type: journal.StageLost, Attempt: 1}}}))
		w.send("2", "s", 2)
		if s := <-w.running; s.Attempt != 2 { // the only slot is free again
			w.Fatal(s.Attempt)
		}
		w.expect("started lost started")
	})
}

// The grace period is over as well. Its replacement may start, so the command must be killed.
func TestRevoke_KillsAnAttemptThatIsStopping(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		w.running <- s
		if s.Name != "s" {
			return nil
		}
		<-ctx.Done()
		w.stopped <- time.Now()
		<-s.Revoked // as a command does that ignores SIGTERM
		return context.Cause(ctx)
	}, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		_, err := w.journal.RequestCancel(w.Context(), run, "enough")
		w.must(err)
		<-w.stopped
		w.must(w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.EndForced, Record: journal.Record{Type: journal.StageCancelled, Attempt: 1}}}))
		begin := time.Now()
		w.worker.Listen()
		for len(w.worker.batches.list()) > 0 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begin); took >= fleet.HeartbeatInterval {
			w.Errorf("it was told after %s", took)
		}
		w.expect("started run.cancelling cancelled")
		if list := w.worker.Stats(); list.Executed != 0 {
			w.Errorf("it counts as executed: %+v", list)
		}
	})
}

// Otherwise a worker that drains could end before it has reported.
func TestBatch_IsHeldUntilALateReportIsRecorded(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		if s.Name == "x" {
			return blocking(w, ctx, s)
		}
		return nil
	}, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded") // from now on the worker knows how short such stages are
		x := w.id("x")
		var reporting atomic.Bool
		release := make(chan struct{})
		w.client.AddHook(between(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if len(w.running) > 0 && strings.Contains(fmt.Sprint(cmd.Args()), ":log") {
				reporting.Store(true)
				<-release
			}
			return next(ctx, cmd)
		}))

		w.sendBatch("2", 1, "y", "x") // x is late, so the success of y is reported
		for !reporting.Load() {
			time.Sleep(time.Millisecond)
		}
		w.must(w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.Revoke, Record: journal.Record{Type: journal.StageLost, Stage: x, Attempt: 1}}}))
		<-w.stopped // x has ended, and there is nothing else to report
		time.Sleep(fleet.HeartbeatInterval)
		if len(w.worker.batches.list()) != 1 {
			w.Error("the batch is not held any more")
		}

		close(release)
		w.tells("s started, s succeeded, y started, x started, x lost, y succeeded")
		time.Sleep(fleet.HeartbeatInterval)
		if len(w.worker.batches.list()) != 0 {
			w.Error("the batch is still held")
		}
	})
}

func TestDrain_FinishesRunningStages(t *testing.T) {
	simulate(t, finishing, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.drain()
		w.send("2", "join", 1)
		time.Sleep(time.Minute)
		close(w.finish)
		w.must(<-w.done)
		w.expect("started succeeded")
		list, err := w.fleet.Workers(w.Context())
		if err != nil || len(list) != 0 {
			w.Errorf("it is still listed: %v %v", list, err)
		}
		w.done <- nil
	})
}

func TestDrain_BeforeTheStartEndsTheWorker(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		late := w.worker.Config
		late.Info.ID, late.Client = "late", w.connect()
		defer late.Client.Close()
		drain, stop := context.WithCancel(w.Context())
		stop()
		w.must(New(late).Run(drain, w.Context(), func() { w.Error("it takes stages") }))
		list, err := w.fleet.Workers(w.Context())
		if err != nil || len(list) != 1 || list[0].ID != "w" {
			w.Errorf("on the list: %v %v", list, err)
		}
	})
}

func TestAbort_ReturnsTheAttempt(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.drain()
		w.abort()
		w.must(<-w.done)
		if last := w.expect("started lost"); last.Text != errAborted.Error() {
			w.Error(last.Text)
		}
		w.done <- nil
	})
}

// A program may have to abandon its worker with a handler that never returns. The worker must not
// log from then on.
func TestAbort_SilencesAWorkerWithAStuckStage(t *testing.T) {
	simulate(t, finishing, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		if names := w.worker.Executing(); !slices.Equal(names, []string{"s"}) {
			t.Errorf("it executes %q", names)
		}
		w.drain()
		w.abort()
		w.must(w.client.Close())
		time.Sleep(time.Minute)
		if n := w.said.Load(); n > 0 {
			t.Errorf("it has said %d lines in a minute", n)
		}
		close(w.finish)
		w.must(<-w.done)
		w.done <- nil
	})
}

func TestUnreachable_StopsStagesBeforeOthersStartThem(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		cut := time.Now()
		w.mini.SetError("LOADING no use")
		if after := (<-w.stopped).Sub(cut); after >= fleet.WorkerTTL {
			w.Errorf("it stopped after %s; others start the stage after %s", after, fleet.WorkerTTL)
		}
		w.mini.SetError("")
		if last := w.expect("started lost"); last.Text != errUnreachable.Error() {
			w.Error(last.Text)
		}
	})
}

// suspend leaves the worker as it is after its process was suspended for a while.
func (w *world) suspend(while time.Duration) {
	h := &w.worker.heartbeat
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accepted = h.accepted.Add(-while)
	h.sent = h.sent.Add(-while)
}

// Its attempts were not replaced: the coordinator was suspended with it.
func TestSuspended_WorkerContinues(t *testing.T) {
	simulate(t, blockingOrFinishing, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.suspend(time.Hour)
		w.worker.stopIfUnreachable() // the timer fires
		time.Sleep(2 * fleet.WorkerTTL)
		close(w.finish)
		w.expect("started succeeded")
	})
}

func TestSuspended_WorkerStartsNothingBeforeAHeartbeat(t *testing.T) {
	simulate(t, blockingOrFinishing, func(w *world) {
		w.sendBatch("1", 1, "x", "y")
		<-w.running
		w.mini.SetError("LOADING no use")
		w.suspend(time.Hour)
		w.finish <- struct{}{}
		time.Sleep(fleet.HeartbeatInterval / 4)
		select {
		case <-w.running:
			w.Error("it began the next attempt without having asked")
		default:
		}
		w.mini.SetError("")
		<-w.running
		close(w.finish)
		w.expectInAnyOrder("started", "started", "succeeded", "succeeded")
	})
}

func TestSuspended_WorkerStopsItsStagesIfRedisIsUnreachable(t *testing.T) {
	simulate(t, blockingOrFinishing, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.mini.SetError("LOADING no use")
		w.suspend(time.Hour)
		woken := time.Now()
		w.worker.stopIfUnreachable()
		if took := (<-w.stopped).Sub(woken); took > suspendedAfter {
			w.Errorf("it stopped after %s, want %s at most", took, suspendedAfter)
		}
		w.mini.SetError("")
		if last := w.expect("started lost"); last.Text != errUnreachable.Error() {
			w.Error(last.Text)
		}
	})
}

func TestReport_IsRetriedUntilRedisAnswers(t *testing.T) {
	simulate(t, finishing, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.mini.SetError("LOADING no use")
		close(w.finish)
		time.Sleep(20 * time.Second)
		w.mini.SetError("")
		w.expect("started succeeded")
	})
}

// The text of an attempt that is running is half a second old at the most. A call carries only what
// is new.
func TestLog_CanBeReadWhileTheStageRuns(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		log := (<-w.running).Log
		a := journal.AttemptID{Stage: 0, Attempt: 1}
		for _, want := range []string{"so far\n", "so far\nand on\n"} {
			before, err := w.journal.Log(w.Context(), run, a)
			w.must(err)
			_, err = log.Write([]byte(strings.TrimPrefix(want, string(before.Bytes()))))
			w.must(err)

			time.Sleep(saveLogsEvery)
			synctest.Wait()
			got, err := w.journal.Log(w.Context(), run, a)
			if err != nil || string(got.Bytes()) != want {
				w.Fatalf("got %q, %v, want %q", got.Bytes(), err, want)
			}
		}
	})
}

func TestHealthy_FollowsTheHeartbeat(t *testing.T) {
	if err := new(Worker).Healthy(); err == nil || err.Error() != "no heartbeat yet" {
		t.Error(err)
	}
	simulate(t, succeeding, func(w *world) {
		w.must(w.worker.Healthy())
		w.mini.SetError("LOADING no use")
		time.Sleep(2 * fleet.WorkerTTL)
		if err := w.worker.Healthy(); err == nil {
			w.Error("healthy without a heartbeat")
		}
		w.mini.SetError("")
		time.Sleep(2 * fleet.HeartbeatInterval)
		if err := w.worker.Healthy(); err != nil {
			w.Error(err)
		}
	})
}

// A lease that was computed before the wait would have ended: Asynq would not remove the task.
func TestTask_IsDoneAfterALongIdleTime(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		time.Sleep(10 * time.Minute)
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		time.Sleep(time.Second)
		if ids, err := w.mini.List("asynq:{" + inRedis + "}:active"); err == nil {
			w.Errorf("still active: %v", ids)
		}
	})
}

func TestAttempt_WaitsForItsValues(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		w.mini.SetError("LOADING no use")
		time.AfterFunc(time.Second, func() { w.mini.SetError("") })
		err := s.Values.Put(ctx, "key", []byte("value"))
		value, err2 := s.Values.Get(ctx, "key")
		if string(value) != "value" {
			w.Errorf("it reads %q", value)
		}
		// a large output is stored before the success is recorded
		s.Values.SetOutput(make([]byte, 2*values.MaxInline))
		w.mini.SetError("LOADING no use")
		time.AfterFunc(time.Second, func() { w.mini.SetError("") })
		return errors.Join(err, err2)
	}, func(w *world) {
		w.send("1", "s", 1)
		time.Sleep(5 * time.Second)
		w.expect("started succeeded")
	})
}
