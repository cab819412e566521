package journal_test

import (
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

func TestStep_GrantsCleanUpDuringCancellation(t *testing.T) {
	journals(t, func(f *fixture) {
		f.cancel(true)
		moves := []journal.Op{journal.ClaimOp(at(0, 1)), journal.ClaimOp(at(1, 1))}
		moves[1].CleanUp = true
		who := journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: tokenA}
		got, err := f.Step(f.t.Context(), who, moves)
		if err != nil || got[0] || !got[1] {
			f.t.Errorf("granted %v, %v", got, err)
		}
		skipped := ended(journal.StageSkipped, 1, 1)
		skipped.Record.Cause = 1
		f.report("w1", tokenA, skipped, true)
		moves[1] = journal.ClaimOp(at(1, 2))
		moves[1].CleanUp = true
		if got, err := f.Step(f.t.Context(), who, moves[1:]); err != nil || got[0] {
			f.t.Errorf("a stage that has skipped itself is claimed again: %v, %v", got, err)
		}
		f.finish()
		moves[0].CleanUp = true
		if got, err := f.Step(f.t.Context(), who, moves[:1]); err != nil || got[0] {
			f.t.Errorf("a stage of a finished run is claimed: %v, %v", got, err)
		}
	})
}

func TestReopen_DropsOutputsOfItsStages(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(3, 1)}, true, true)
		for _, s := range []dag.StageID{0, 3} {
			o := ended(journal.StageSucceeded, s, 1)
			o.Output = []byte("old")
			f.report("w1", tokenA, o, true)
		}
		f.finish()
		if _, err := f.Reopen(f.t.Context(), f.reopening("bob")); err != nil {
			f.t.Fatal(err)
		}
		f.outputs([]dag.StageID{0, 3}, []byte("old"), nil)
	})
}
