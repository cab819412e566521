package journal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
)

// markDeleted checks whether a run may be removed under a condition.
func (f *fixture) markDeleted(id journal.RunID, when journal.Condition, want bool) *journal.Deletion {
	f.t.Helper()
	got, err := f.MarkDeleted(f.t.Context(), id, when)
	if (got != nil) != want || err != nil || want && string(got.Spec) != "the spec\x00\xff" {
		f.t.Errorf("%s removed when %s: %+v, %v; want %v", id, when, got, err, want)
	}
	return got
}

// forgetRemover lets the time be over that whoever began to remove a run has for it.
func (f *fixture) forgetRemover(id journal.RunID) {
	f.t.Helper()
	if err := f.rdb.HSet(f.t.Context(), "godags:{"+string(id)+"}:run", "until", 0).Err(); err != nil {
		f.t.Fatal(err)
	}
}

// The second could still remove things when the first is done, and another run has the id.
func TestMarkDeleted_AdmitsOneRemoverAtATime(t *testing.T) {
	journals(t, func(f *fixture) {
		f.finish()
		f.markDeleted(run, journal.WhenEnded, true)
		f.markDeleted(run, journal.WhenEnded, false)
		f.markDeleted(run, journal.WhenIdle, false)
		f.forgetRemover(run)
		f.markDeleted(run, journal.WhenEnded, true)
	})
}

func TestMarkDeleted_LeavesActiveAndKeptRuns(t *testing.T) {
	journals(t, func(f *fixture) {
		for _, when := range []journal.Condition{journal.WhenDue, journal.WhenEnded, journal.WhenIdle} {
			f.markDeleted(run, when, false) // it goes on
		}
		f.finish()
		f.markDeleted(run, journal.WhenDue, false) // it is kept for ever
		f.markDeleted(run, journal.WhenEnded, true)
	})
}

func TestMarkDeleted_TakesARunWithoutACoordinator(t *testing.T) {
	journals(t, func(f *fixture) {
		if err := f.Release(f.t.Context(), run, "ann", f.epoch); err != nil {
			f.t.Fatal(err)
		}
		f.markDeleted(run, journal.WhenEnded, false)
		f.markDeleted(run, journal.WhenIdle, true)
	})
}

func TestErase_RemovesEverythingAfterTheTime(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		s := submission()
		s.Run, s.Keep = "short", time.Millisecond
		if _, err := f.Submit(ctx, s); err != nil {
			f.t.Fatal(err)
		}
		s.Run, s.Keep = "long", time.Hour
		if _, err := f.Submit(ctx, s); err != nil {
			f.t.Fatal(err)
		}
		for _, id := range []journal.RunID{"short", "long"} {
			if err := f.Finish(ctx, id, 1, graph(f.t, 0)); err != nil {
				f.t.Fatal(err)
			}
		}
		if got, err := f.Summary(ctx, "long"); err != nil || got.Expires.Sub(got.Finished) != time.Hour {
			f.t.Errorf("%+v, %v", got, err)
		}
		var due []journal.RunID
		for len(due) == 0 { // for a millisecond
			var err error
			if due, err = f.Due(ctx, 10); err != nil {
				f.t.Fatal(err)
			}
		}
		if len(due) != 1 || due[0] != "short" {
			f.t.Errorf("due: %v", due)
		}
		f.markDeleted("long", journal.WhenDue, false)
		f.markDeleted("short", journal.WhenDue, true)
		// Whoever removes it dies here. The run is gone for everybody, its id is not free yet, and
		// it is still to be removed.
		if _, err := f.Summary(ctx, "short"); !errors.Is(err, journal.ErrNotFound) {
			f.t.Errorf("error %v, want that it is gone", err)
		}
		if _, err := f.Acquire(ctx, "short", "bob", lease); !errors.Is(err, journal.ErrNotFound) {
			f.t.Errorf("error %v, want that it is gone", err)
		}
		s.Run = "short"
		if _, err := f.Submit(ctx, s); err == nil {
			f.t.Error("the id was given to another run")
		}
		if due, err := f.Due(ctx, 10); err != nil || len(due) != 1 {
			f.t.Errorf("due: %v, %v", due, err)
		}
		f.forgetRemover("short")
		if err := f.Erase(ctx, f.markDeleted("short", journal.WhenDue, true)); err != nil {
			f.t.Fatal(err)
		}
		if left := f.rdb.Keys(ctx, "godags:{short}*").Val(); len(left) > 0 {
			f.t.Errorf("left behind: %v", left)
		}
		if due, err := f.Due(ctx, 10); err != nil || len(due) != 0 {
			f.t.Errorf("due: %v, %v", due, err)
		}
		if _, err := f.Submit(ctx, s); err != nil {
			f.t.Errorf("the id is not free: %v", err)
		}
	})
}

// With the first of them alone, one that cannot be removed would keep all the others.
func TestDue_GivesEveryRunATurn(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		ids := []journal.RunID{"a", "b", "c", "d", "e"}
		for _, id := range ids {
			s := submission()
			s.Run, s.Keep = id, time.Millisecond
			if _, err := f.Submit(ctx, s); err != nil {
				f.t.Fatal(err)
			}
			if err := f.Finish(ctx, id, 1, graph(f.t, 0)); err != nil {
				f.t.Fatal(err)
			}
		}
		missing := make(map[journal.RunID]bool)
		for _, id := range ids {
			missing[id] = true
		}
		for range 10_000 {
			due, err := f.Due(ctx, 2)
			if err != nil || len(due) > 2 {
				f.t.Fatalf("%v, %v", due, err)
			}
			for _, id := range due {
				delete(missing, id)
			}
			if len(missing) == 0 {
				return
			}
		}
		f.t.Errorf("had no turn: %v", missing)
	})
}

// A remover that was stopped for longer than it had time wakes up when another has removed the run,
// and its id is used again.
func TestErase_ByALateRemoverLeavesTheNextRun(t *testing.T) {
	journals(t, func(f *fixture) {
		f.finish()
		late := f.markDeleted(run, journal.WhenEnded, true)
		f.forgetRemover(run)
		if err := f.Erase(f.t.Context(), f.markDeleted(run, journal.WhenEnded, true)); err != nil {
			f.t.Fatal(err)
		}
		if _, err := f.Submit(f.t.Context(), submission()); err != nil {
			f.t.Fatal(err)
		}
		if err := f.Erase(f.t.Context(), late); err != nil {
			f.t.Fatal(err)
		}
		if _, _, err := f.Spec(f.t.Context(), run); err != nil {
			f.t.Errorf("the next run of the id: %v", err)
		}
		if open := f.openRuns(); len(open) != 1 {
			f.t.Errorf("open: %v, want the next run of the id", open)
		}
	})
}
