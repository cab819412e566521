package journal_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

func TestSubmit_AnswersTheSameWhenSentTwice(t *testing.T) {
	journals(t, func(f *fixture) {
		epoch, err := f.Submit(f.t.Context(), submission())
		if epoch != f.epoch || err != nil {
			f.t.Errorf("epoch %d, %v; want %d as at first", epoch, err, f.epoch)
		}
		f.story()
	})
}

func TestSubmit_RefusesATakenRunID(t *testing.T) {
	journals(t, func(f *fixture) {
		s := submission()
		s.Coordinator = "bob"
		if _, err := f.Submit(f.t.Context(), s); !errors.Is(err, journal.ErrExists) || errors.Is(err, journal.ErrDigest) {
			f.t.Errorf("error %v, want only that the id is taken", err)
		}
		f.story()
	})
}

func TestSubmit_TellsARunWithAnotherSpec(t *testing.T) {
	journals(t, func(f *fixture) {
		s := submission()
		s.Digest, s.Spec = "d2", []byte("other")
		if _, err := f.Submit(f.t.Context(), s); !errors.Is(err, journal.ErrExists) || !errors.Is(err, journal.ErrDigest) {
			f.t.Errorf("error %v, want ErrExists and ErrDigest", err)
		}
		encoded, recorded, err := f.Spec(f.t.Context(), run)
		if string(encoded) != specText || recorded != digest || err != nil {
			f.t.Errorf("the first spec became %q, %q, %v", encoded, recorded, err)
		}
	})
}

func TestSubmit_GivesARunIDToOneOfMany(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		j := journal.New(rdb)
		var all sync.WaitGroup
		var created atomic.Int32
		for i := range 8 {
			all.Go(func() {
				s := submission()
				s.Coordinator = fmt.Sprint("c", i)
				epoch, err := j.Submit(t.Context(), s)
				if err == nil && epoch == 1 {
					created.Add(1)
				} else if !errors.Is(err, journal.ErrExists) {
					t.Errorf("epoch %d, %v", epoch, err)
				}
			})
		}
		all.Wait()
		if n := created.Load(); n != 1 {
			t.Errorf("%d coordinators drive the run", n)
		}
	})
}

func TestAcquire_GivesARunOneOwnerAtATime(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		if epoch, err := f.Acquire(ctx, run, "bob", lease); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("bob got epoch %d, %v although ann drives", epoch, err)
		}
		if epoch, err := f.Acquire(ctx, run, "ann", lease); epoch != f.epoch || err != nil {
			f.t.Errorf("ann acquires her own run: epoch %d, %v; want %d", epoch, err, f.epoch)
		}
		if err := f.Renew(ctx, run, "ann", lease, f.epoch); err != nil {
			f.t.Error(err)
		}
		if err := f.Renew(ctx, run, "bob", lease, f.epoch); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("bob renews ann's lease: %v", err)
		}
	})
}

// takeOver lets ann's lease expire and makes another coordinator the owner.
func (f *fixture) takeOver(coordinator string) (epoch int64) {
	f.t.Helper()
	if err := f.Renew(f.t.Context(), run, "ann", time.Millisecond, f.epoch); err != nil {
		f.t.Fatal(err)
	}
	for {
		epoch, err := f.Acquire(f.t.Context(), run, coordinator, lease)
		if err == nil {
			return epoch
		}
		if !errors.Is(err, journal.ErrFenced) {
			f.t.Fatal(err)
		}
	}
}

func TestAcquire_FencesTheOldOwner(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		epoch := f.takeOver("bob")
		if epoch != f.epoch+1 {
			f.t.Errorf("epoch %d after %d", epoch, f.epoch)
		}
		skip := decision(journal.EndUnexecuted, journal.StageSkipped, 1, 0)
		for what, err := range map[string]error{
			"renew":  f.Renew(ctx, run, "ann", lease, f.epoch),
			"decide": f.Decide(ctx, run, f.epoch, []journal.Decision{skip}),
			"finish": f.Finish(ctx, run, f.epoch, graph(f.t, 0)),
		} {
			if !errors.Is(err, journal.ErrFenced) {
				f.t.Errorf("%s with the old epoch: %v", what, err)
			}
		}
		if err := f.Decide(ctx, run, epoch, []journal.Decision{skip}); err != nil {
			f.t.Error(err)
		}
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true) // workers go on meanwhile
		f.story("w1: stage.started 0#1", "stage.skipped 1 because of 0", "w1: stage.succeeded 0#1")
	})
}

func TestRenew_RefusesAnOldEpoch(t *testing.T) {
	journals(t, func(f *fixture) {
		f.epoch = f.takeOver("bob")
		if err := f.Renew(f.t.Context(), run, "bob", time.Millisecond, f.epoch); err != nil {
			f.t.Fatal(err)
		}
		var err error
		// until bob's lease has run out
		for err = journal.ErrFenced; errors.Is(err, journal.ErrFenced); {
			_, err = f.Acquire(f.t.Context(), run, "ann", lease)
		}
		if err != nil {
			f.t.Fatal(err)
		}
		if err := f.Renew(f.t.Context(), run, "ann", lease, 1); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("ann drives in epoch 3, and renews with epoch 1: %v", err)
		}
	})
}

// Renewing is no way to take over: the old coordinator would go on with what it knew before it was
// replaced.
func TestRenew_RefusesAfterTheNextOwnerReleased(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		epoch := f.takeOver("bob")
		if err := f.Renew(ctx, run, "bob", -lease, epoch); err != nil {
			f.t.Fatal(err)
		}
		if err := f.Renew(ctx, run, "ann", lease, f.epoch); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("ann renews the lease that she lost: %v", err)
		}
		if err := f.Renew(ctx, run, "bob", lease, epoch); err != nil {
			f.t.Errorf("bob renews his: %v", err)
		}
	})
}

func TestRenew_ExtendsAnExpiredLeaseWithoutANewOwner(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		if err := f.Renew(ctx, run, "ann", 0, f.epoch); err != nil {
			f.t.Fatal(err)
		}
		if err := f.Renew(ctx, run, "ann", lease, f.epoch); err != nil {
			f.t.Error(err)
		}
		if _, err := f.Acquire(ctx, run, "bob", lease); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("bob took over a renewed lease: %v", err)
		}
	})
}

func TestDecide_SkipsUnclaimedStagesOnly(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 1, 1), true)
		var skips []journal.Decision
		for s := range dag.StageID(4) {
			skips = append(skips, decision(journal.EndUnexecuted, journal.StageSkipped, s, 0))
		}
		f.decide(skips...)
		f.decide(skips...) // and nothing is decided twice
		f.claim("w1", tokenB, []journal.AttemptID{at(2, 1), at(3, 2)}, false, false)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.story("w1: stage.started 0#1", "w1: stage.started 1#1", "w1: stage.succeeded 1#1",
			"stage.skipped 2 because of 0", "stage.skipped 3 because of 0", "w1: stage.succeeded 0#1")
	})
}

func TestDecide_AllowsTheNextAttemptAfterALoss(t *testing.T) {
	journals(t, func(f *fixture) {
		lost := decision(journal.Revoke, journal.StageLost, 0, 1)
		f.decide(lost) // nobody has claimed it: there is nothing to lose
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.decide(decision(journal.Revoke, journal.StageLost, 0, 2)) // nor this
		f.decide(lost)
		f.decide(lost) // and it is lost only once
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, false)
		f.claim("w2", tokenB, []journal.AttemptID{at(0, 2)}, true)
		f.decide(lost)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), false)
		f.report("w2", tokenB, ended(journal.StageSucceeded, 0, 2), true)
		f.story("w1: stage.started 0#1", "stage.lost 0#1", "w2: stage.started 0#2", "w2: stage.succeeded 0#2")
	})
}

func TestDecide_EndsALostStageOfACancelledRun(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.cancel(true)
		// not yet: w1 has it
		f.decide(decision(journal.EndUnexecuted, journal.StageCancelled, 0, 0))
		f.decide(decision(journal.Revoke, journal.StageLost, 0, 1))
		f.decide(decision(journal.EndUnexecuted, journal.StageCancelled, 0, 0))
		f.story("w1: stage.started 0#1", "run.cancelling enough", "stage.lost 0#1", "stage.cancelled 0#0")
	})
}

func TestDecide_SplitsManyDecisionsIntoCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it records tens of thousands of decisions")
	}
	journals(t, func(f *fixture) {
		const stages = 4500
		var decisions []journal.Decision
		var want []string
		for s := range dag.StageID(stages) {
			decisions = append(decisions, decision(journal.EndUnexecuted, journal.StageCancelled, s, 0))
			want = append(want, fmt.Sprintf("stage.cancelled %d#0", s))
		}
		f.decide(decisions...)
		f.story(want...)
		if n := len(f.entries()); n < 3 {
			f.t.Errorf("all went in one call: %d entries", n)
		}
	})
}

func TestDecide_RecordsNothingWithoutDecisions(t *testing.T) {
	journals(t, func(f *fixture) {
		f.decide()
		f.story()
	})
}

func TestFinish_RecordsOnce(t *testing.T) {
	journals(t, func(f *fixture) {
		f.finish()
		f.finish()
		f.story("run.finished")
	})
}

func TestRequestCancel_RecordsOnceAndWhileActive(t *testing.T) {
	journals(t, func(f *fixture) {
		f.cancel(true)
		f.cancel(true)
		f.finish()
		f.cancel(false)
		f.story("run.cancelling enough", "run.finished")
	})
}

func TestFinish_RecordsTheOutcome(t *testing.T) {
	journals(t, func(f *fixture) {
		state := graph(f.t, 4)
		for s, how := range []dag.EventType{dag.StageSucceeded, dag.StageFailed, dag.StageSkipped, dag.StageSucceeded} {
			if _, err := state.Apply(dag.Event{Type: how, Stage: dag.StageID(s), Attempt: 1, Cause: dag.StageID(s)}, nil); err != nil {
				f.t.Fatal(err)
			}
		}
		if err := f.Finish(f.t.Context(), run, f.epoch, state); err != nil {
			f.t.Fatal(err)
		}
		entries := f.entries()
		text := entries[len(entries)-1].Records[0].Text
		want := `{"state":"failed","stages":{"cancelled":0,"failed":1,"skipped":1,"succeeded":2}}`
		if text != want {
			f.t.Errorf("run.finished says %s, want %s", text, want)
		}
	})
}

// The request to cancel and the end of the run may cross: the coordinator has not read the request
// when it records the end.
func TestFinish_EndsACancelledRunAsCancelled(t *testing.T) {
	journals(t, func(f *fixture) {
		f.cancel(true)
		if err := f.Finish(f.t.Context(), run, f.epoch, graph(f.t, 0)); err != nil {
			f.t.Fatal(err)
		}
		s, err := f.Summary(f.t.Context(), run)
		if err != nil || s.State != "cancelled" {
			f.t.Errorf("the run is %q, %v; want cancelled", s.State, err)
		}
	})
}

func TestJournal_KeepsRunsApart(t *testing.T) {
	journals(t, func(f *fixture) {
		other := submission()
		other.Run = "r2"
		if _, err := f.Submit(f.t.Context(), other); err != nil {
			f.t.Fatal(err)
		}
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.cancel(true)
		got, err := f.Claim(f.t.Context(), journal.Claim{Run: "r2", Digest: digest, Worker: "w2", Token: tokenB}, []journal.AttemptID{at(0, 1)})
		if err != nil || !slices.Equal(got, []bool{true}) {
			f.t.Errorf("stage 0 of the other run: granted %v, %v", got, err)
		}
	})
}
