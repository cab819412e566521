package journal_test

import (
	"errors"
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// forgotten takes the entry of what happens out of the journal, as a Redis does that has lost part
// of a transaction.
func (f *fixture) forgotten(happens func()) {
	f.t.Helper()
	happens()
	entries := f.entries()
	if err := f.rdb.XDel(f.t.Context(), "godags:{r}:journal", string(entries[len(entries)-1].ID)).Err(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) repair(epoch int64, known journal.Position) error {
	_, err := f.RepairFence(f.t.Context(), run, epoch, known, []journal.ExpectedState{
		{AttemptID: at(0, 1), Claimed: true}, {AttemptID: at(1, 1), Claimed: true}, {AttemptID: at(2, 1)}, {AttemptID: at(3, 1)}})
	return err
}

func TestRepairFence_TakesBackWhatTheJournalLacks(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		entries := f.entries()
		known := entries[len(entries)-1].ID
		f.forgotten(func() {
			o := ended(journal.StageSucceeded, 0, 1)
			o.Output = []byte("forgotten")
			f.report("w1", tokenA, o, true)
		})
		f.forgotten(func() { f.claim("w2", tokenB, []journal.AttemptID{at(2, 1)}, true) })

		// of a coordinator that has not read all
		if err := f.repair(f.epoch, entries[0].ID); err != nil {
			f.t.Error(err)
		}
		f.claim("w1", tokenA, []journal.AttemptID{at(2, 1)}, false)
		if err := f.repair(f.epoch+1, known); !errors.Is(err, journal.ErrFenced) {
			f.t.Errorf("another coordinator: %v", err)
		}
		if err := f.repair(f.epoch, known); err != nil {
			f.t.Error(err)
		}
		f.outputs([]dag.StageID{0}, nil)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), false)
		f.decide(decision(journal.Revoke, journal.StageLost, 0, 1))
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 2), at(2, 1), at(3, 1)}, true, true, true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 1, 1), true)
		f.report("w2", tokenB, ended(journal.StageSucceeded, 2, 1), false)
		f.story("w1: stage.started 0#1", "w1: stage.started 1#1", "stage.lost 0#1",
			"w1: stage.started 0#2", "w1: stage.started 2#1", "w1: stage.started 3#1", "w1: stage.succeeded 1#1")
	})
}
