package journal_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// openRuns names the runs that are not finished.
func (f *fixture) openRuns() (ids []journal.RunID) {
	f.t.Helper()
	ownerships, err := f.Open(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, l := range ownerships {
		ids = append(ids, l.Run)
	}
	return ids
}

func TestOpen_ListsRunsUntilTheyAreFinished(t *testing.T) {
	journals(t, func(f *fixture) {
		if open := f.openRuns(); len(open) != 1 || open[0] != run {
			f.t.Errorf("open: %v", open)
		}
		g, err := new(dag.Builder).Build()
		if err != nil {
			f.t.Fatal(err)
		}
		if err := f.Finish(f.t.Context(), run, f.epoch, dag.NewRun(g, dag.Rules{})); err != nil {
			f.t.Fatal(err)
		}
		if open := f.openRuns(); len(open) != 0 {
			f.t.Errorf("open: %v", open)
		}
	})
}

func TestLists_AreRepairedByReaders(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		now := float64(time.Now().UnixMilli())
		for _, list := range []string{"godags:open", "godags:runs"} {
			f.rdb.ZAdd(ctx, list, redis.Z{Score: now, Member: "gone"})
		}
		f.rdb.HSet(ctx, "godags:{r}:run", "state", "finished")
		if open := f.openRuns(); len(open) != 0 {
			f.t.Errorf("open: %v", open)
		}
		if left := f.rdb.ZRange(ctx, "godags:open", 0, -1).Val(); len(left) != 0 {
			f.t.Errorf("the list of open runs has %v", left)
		}
		f.rdb.ZAdd(ctx, "godags:runs", redis.Z{Score: now, Member: "gone"})
		if runs, err := f.Runs(ctx, 10, nil); err != nil || len(runs) != 1 || runs[0].Run != run {
			f.t.Errorf("%v, %v", runs, err)
		}
		if left := f.rdb.ZRange(ctx, "godags:runs", 0, -1).Val(); len(left) != 1 {
			f.t.Errorf("the list of runs has %v", left)
		}
	})
}

func TestSubmit_LeavesADetachedRunQueued(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		s := submission()
		s.Run, s.Detached = "later", true
		if epoch, err := f.Submit(ctx, s); err != nil || epoch != 0 {
			f.t.Fatalf("epoch %d, %v", epoch, err)
		}
		if got, err := f.Summary(ctx, "later"); err != nil || got.State != "queued" {
			f.t.Errorf("%+v, %v", got, err)
		}
		if epoch, err := f.Acquire(ctx, "later", "bob", lease); err != nil || epoch != 1 {
			f.t.Errorf("epoch %d, %v", epoch, err)
		}
		if got, err := f.Summary(ctx, "later"); err != nil || got.State != "running" {
			f.t.Errorf("%+v, %v", got, err)
		}
	})
}

// A submission that is stopped before its script reaches Redis has written nothing; once it has, no
// reader of the lists can undo a part.
func TestSubmit_EntersTheListsWithTheRun(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		if _, err := f.Submit(ctx, submission()); err != nil {
			f.t.Fatal(err)
		}
		for _, list := range []string{"godags:open", "godags:runs"} {
			at := time.UnixMilli(int64(f.rdb.ZScore(ctx, list, string(run)).Val()))
			if entries := f.entries(); entries[0].Time.Sub(at).Abs() > time.Second {
				f.t.Errorf("%s has %v, the run was submitted at %v", list, at, entries[0].Time)
			}
		}
	})
}

// Redis has lost the journal of a run, and nothing else: nobody can do anything with the run, and
// its id is free again.
func TestMarkDeleted_TakesARunWithoutAJournalAsDue(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		f.rdb.Del(ctx, "godags:{r}:journal")
		f.runs(10)
		f.markDeleted(run, journal.WhenDue, false) // its coordinator has not noticed yet
		f.setRun("until", 0)
		if due, err := f.Due(ctx, 10); err != nil || len(due) != 1 || due[0] != run {
			f.t.Errorf("due: %v, %v", due, err)
		}
		if c := f.markDeleted(run, journal.WhenDue, true); c != nil {
			if err := f.Erase(ctx, c); err != nil {
				f.t.Error(err)
			}
		}
		if left := f.rdb.Keys(ctx, "godags:*").Val(); len(left) > 0 {
			f.t.Errorf("left: %v", left)
		}
	})
}
