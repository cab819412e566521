package journal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// reopening is of the fixture's run, which has failed at stage 3 and skipped stage 4.
func (f *fixture) reopening(who string) journal.Reopening {
	return journal.Reopening{Run: run, Epoch: f.epoch, Stage: dag.NoStage, Again: []dag.StageID{3, 4}, Coordinator: who, Lease: lease}
}

func (f *fixture) failAndFinish() {
	f.t.Helper()
	f.claim("w1", tokenA, []journal.AttemptID{at(2, 1), at(3, 1)}, true, true)
	f.report("w1", tokenA, ended(journal.StageSucceeded, 2, 1), true)
	f.report("w1", tokenA, ended(journal.StageFailed, 3, 1), true)
	f.decide(decision(journal.EndUnexecuted, journal.StageSkipped, 4, 0))
	f.finish()
}

func TestReopen_ExecutesFailedStagesOnly(t *testing.T) {
	journals(t, func(f *fixture) {
		f.failAndFinish()
		again := []journal.AttemptID{at(2, 2), at(3, 2), at(4, 1)}
		f.claim("w2", tokenB, again, false, false, false) // it is finished
		epoch, err := f.Reopen(f.t.Context(), f.reopening("bob"))
		if err != nil || epoch != f.epoch+1 {
			f.t.Fatalf("epoch %d, %v", epoch, err)
		}
		if l := f.ownership(); l.Coordinator != "bob" || l.Left <= 0 || l.Finished || l.Epoch != epoch {
			f.t.Errorf("%+v", l)
		}
		f.claim("w2", tokenB, []journal.AttemptID{at(3, 1), at(3, 2), at(4, 1)}, false, true, true)
		entries := f.entries()
		reopened := 0
		for _, e := range entries {
			for _, r := range e.Records {
				if r.Type == journal.RunReopened {
					reopened++
				}
			}
		}
		if reopened != 1 {
			f.t.Errorf("recorded %d times", reopened)
		}
		if err := f.Finish(f.t.Context(), run, f.epoch, graph(f.t, 0)); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("the coordinator of the first epoch still decides: %v", err)
		}
	})
}

func TestReopen_GivesTheRunToOneOfTwo(t *testing.T) {
	journals(t, func(f *fixture) {
		f.failAndFinish()
		if _, err := f.Reopen(f.t.Context(), f.reopening("bob")); err != nil {
			f.t.Fatal(err)
		}
		if _, err := f.Reopen(f.t.Context(), f.reopening("eve")); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("error %v, want that somebody was quicker", err)
		}
	})
}

func TestReopen_RefusesAnActiveRun(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(3, 1)}, true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 3, 1), true)
		if _, err := f.Reopen(f.t.Context(), f.reopening("bob")); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("error %v", err)
		}
		f.claim("w2", tokenB, []journal.AttemptID{at(3, 2)}, false)
	})
}

func TestReopen_KeepsTheRunFromRemoval(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		f.rdb.HSet(ctx, "godags:{r}:run", "keep", time.Millisecond.Milliseconds())
		f.failAndFinish()
		if _, err := f.Reopen(ctx, f.reopening("bob")); err != nil {
			f.t.Fatal(err)
		}
		f.markDeleted(run, journal.WhenDue, false)
		if due, err := f.Due(ctx, 10); err != nil || len(due) != 0 {
			f.t.Errorf("due: %v, %v", due, err)
		}
		if open := f.openRuns(); len(open) != 1 {
			f.t.Errorf("open: %v", open)
		}
	})
}

// A task that was sent in the run's first life, and that nobody took, must not be mistaken for one
// of its second.
func TestReopen_RefusesClaimsFromBefore(t *testing.T) {
	journals(t, func(f *fixture) {
		before := f.entries()[0].ID
		f.decide(decision(journal.EndUnexecuted, journal.StageCancelled, 4, 0))
		f.finish()
		if _, err := f.Reopen(f.t.Context(), f.reopening("bob")); err != nil {
			f.t.Fatal(err)
		}
		entries := f.entries()
		claim := func(after journal.Position) error {
			_, err := f.Claim(f.t.Context(), journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: tokenA, After: after}, []journal.AttemptID{at(4, 1)})
			return err
		}
		if err := claim(before); !errors.Is(err, journal.ErrTruncated) {
			f.t.Errorf("error %v", err)
		}
		if err := claim(entries[len(entries)-1].ID); err != nil {
			f.t.Error(err)
		}
	})
}

// A coordinator that was paused when the time of its run was over does not end what was reopened in
// the meantime.
func TestTimeOut_RefusesAnOldEpoch(t *testing.T) {
	journals(t, func(f *fixture) {
		f.failAndFinish()
		if _, err := f.Reopen(f.t.Context(), f.reopening("bob")); err != nil {
			f.t.Fatal(err)
		}
		if err := f.TimeOut(f.t.Context(), run, f.epoch, time.Minute); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("error %v", err)
		}
		f.claim("w2", tokenB, []journal.AttemptID{at(3, 2)}, true)
	})
}

func TestReopen_DropsOutputsBeforeExecution(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(3, 1)}, true)
		o := ended(journal.StageSucceeded, 3, 1)
		o.Output = []byte("vold")
		f.report("w1", tokenA, o, true)
		f.finish()
		if _, err := f.Reopen(f.t.Context(), f.reopening("bob")); err != nil {
			f.t.Fatal(err)
		}
		f.outputs([]dag.StageID{3}, nil)
	})
}
