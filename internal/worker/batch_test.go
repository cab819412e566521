package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/worker/delivery"
	"github.com/godags/godags/tasks"
)

// finishingX blocks in the stage "x". The others succeed at once.
func finishingX(w *world, ctx context.Context, s *tasks.Stage) error {
	if s.Name == "x" {
		return finishing(w, ctx, s)
	}
	return nil
}

func TestBatch_ExecutesItsAttemptsInOrder(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.sendBatch("1", 1, "s", "x", "y", "join", "y") // the second y is nonsense
		w.tells("s started, s succeeded, x started, y started, x succeeded, y succeeded, join started, join succeeded")
	})
}

func TestChain_ClaimsAStageAfterThePreviousSuccess(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded") // from now on the worker knows how short such stages are
		w.sendBatch("2", 1, "x", "after x", "y")
		w.tells("s started, s succeeded, x started, y started, x succeeded, after x started, after x succeeded, y succeeded")
	})
}

func TestChain_PassesTheOutputOn(t *testing.T) {
	simulate(t, func(_ *world, ctx context.Context, s *tasks.Stage) error {
		s.Values.SetOutput([]byte("json\n1"))
		for _, dep := range s.After {
			if value, err := s.Values.Output(ctx, dep); string(value) != "json\n1" || err != nil {
				return fmt.Errorf("the output of %s is %q, %v", dep, value, err)
			}
		}
		return nil
	}, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.sendBatch("2", 1, "x", "after x")
		w.tells("s started, s succeeded, x started, x succeeded, after x started, after x succeeded")
	})
}

// blockingAfterX waits in the stage "after x" until it is stopped, and succeeds all the same. The
// others succeed at once.
func blockingAfterX(w *world, ctx context.Context, s *tasks.Stage) error {
	if s.Name == "after x" {
		w.running <- s
		<-ctx.Done()
		w.stopped <- time.Now()
	}
	return nil
}

func TestChain_ClaimsALateStageSoon(t *testing.T) {
	simulate(t, blockingAfterX, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.sendBatch("2", 1, "x", "after x")
		<-w.running
		begin := time.Now()
		w.tells("s started, s succeeded, x started, x succeeded, after x started")
		if took := time.Since(begin); took > 2*delivery.ReportAfter {
			w.Errorf("it took %s", took)
		}
		time.Sleep(3 * fleet.HeartbeatInterval)
		if len(w.stopped) > 0 {
			w.Error("it was stopped")
		}
		w.must(w.cancel())
		w.tells("s started, s succeeded, x started, x succeeded, after x started, after x succeeded")
	})
}

func (w *world) cancel() error {
	_, err := w.journal.RequestCancel(w.Context(), run, "enough")
	return err
}

func TestChain_EndsWithARefusedClaim(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world) error{
		"the run is being cancelled": (*world).cancel,
		"the first stage was revoked": func(w *world) error {
			return w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.Revoke, Record: journal.Record{Type: journal.StageLost, Stage: 3, Attempt: 1}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
				// x is claimed and not reported yet, so "after x" is started before the refusal.
				if s.Name == "x" {
					w.must(meanwhile(w))
				}
				return blockingAfterX(w, ctx, s)
			}, func(w *world) {
				w.send("1", "s", 1)
				w.tells("s started, s succeeded")
				w.sendBatch("2", 1, "x", "after x")
				<-w.running
				begin := time.Now()
				if took := (<-w.stopped).Sub(begin); took > 2*delivery.ReportAfter {
					w.Errorf("it was stopped after %s", took)
				}
				time.Sleep(time.Second)
				if got := w.story(); strings.Contains(got, "after x") {
					w.Fatal(got)
				}
			})
		})
	}
}

func TestChain_EndsWithAFailure(t *testing.T) {
	simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
		if s.Name == "x" {
			return errors.New("no")
		}
		return nil
	}, func(w *world) {
		w.sendBatch("1", 1, "x", "after x", "y")
		w.tells("x started, x failed, y started, y succeeded")
	})
}

func TestBatch_ReportsBeforeALateStage(t *testing.T) {
	simulate(t, finishingX, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.sendBatch("2", 1, "y", "x")
		<-w.running
		begin := time.Now()
		w.tells("s started, s succeeded, y started, x started, y succeeded")
		if took := time.Since(begin); took > 2*delivery.ReportAfter {
			w.Errorf("it took %s", took)
		}
		close(w.finish)
	})
}

// x is of an unknown kind, so y and "after x" are not claimed when it starts.
func TestBatch_RequeuesBehindALateStage(t *testing.T) {
	simulate(t, finishingX, func(w *world) {
		w.sendBatch("1", 1, "x", "y", "after x")
		<-w.running
		time.Sleep(2 * delivery.RequeueAfter)
		w.drain() // this worker takes no more
		pending, err := w.requeued()
		if err != nil || pending != "y" {
			w.Errorf("in the queue: %q %v", pending, err)
		}
		close(w.finish)
	})
}

// requeued returns the stages of the task in the queue.
func (w *world) requeued() (names string, err error) {
	ids, err := w.mini.List("asynq:{" + inRedis + "}:pending")
	if err != nil || len(ids) != 1 {
		return fmt.Sprint(ids), err
	}
	msg := w.mini.HGet("asynq:{"+inRedis+"}:t:"+ids[0], "msg")
	for id := range w.spec.Graph.Len() {
		if strings.Contains(msg, fmt.Sprintf(`"stage":%d,`, id)) {
			names += w.spec.Graph.Name(dag.StageID(id))
		}
	}
	return names, nil
}

// y is known to be short, and is claimed together with x, which is taken for short too.
func TestBatch_ReturnsClaimsBehindALateStage(t *testing.T) {
	simulate(t, finishingX, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.sendBatch("2", 1, "x", "y")
		<-w.running
		w.tells("s started, s succeeded, x started, y started, y lost")
		close(w.finish)
		w.tells("s started, s succeeded, x started, y started, y lost, x succeeded")
	})
}

func TestBatch_ExecutesNothingBehindACancelledStage(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		switch s.Name {
		case "x":
			return blocking(w, ctx, s)
		case "y":
			w.Error("it was executed")
		}
		return nil
	}, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.sendBatch("2", 1, "x", "y")
		<-w.running
		_, err := w.journal.RequestCancel(w.Context(), run, "enough")
		w.must(err)
		time.Sleep(2 * fleet.HeartbeatInterval) // the worker learns that after a heartbeat
		if got := w.story(); !strings.Contains(got, "x cancelled") || !strings.Contains(got, "y started") || strings.Contains(got, "y succeeded") {
			w.Fatal(got)
		}
	})
}

func TestBatch_IsRequeuedByADrainingWorker(t *testing.T) {
	simulate(t, finishingX, func(w *world) {
		w.sendBatch("1", 1, "x", "y")
		<-w.running
		w.drain()
		synctest.Wait()
		close(w.finish)
		w.must(<-w.done)
		w.done <- nil
		if pending, err := w.requeued(); err != nil || pending != "y" {
			w.Errorf("in the queue: %q %v", pending, err)
		}
		w.tells("x started, x succeeded")
	})
}
