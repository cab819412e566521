package journal

import (
	"context"
	"slices"
)

// DecisionKind says which state of the fence a decision needs, and which one it leaves. Its value
// is the letter that decide.lua reads:
//
//	               letter       needs                          leaves
//	EndUnexecuted  T(erminal)   not claimed and not terminal   terminal
//	Revoke         L(ost)       this attempt is claimed        ended: the next can be claimed
//	EndForced      F(orced)     this attempt is claimed        terminal
type DecisionKind string

// The kinds of decision.
const (
	// EndUnexecuted ends a stage as skipped or cancelled, unless a worker has claimed it.
	EndUnexecuted DecisionKind = "T"
	// Revoke voids the claim of an attempt, so that the next attempt can be claimed.
	Revoke DecisionKind = "L"
	// EndForced voids the claim of an attempt and ends its stage.
	EndForced DecisionKind = "F"
)

// Decision is a record that the coordinator writes, and the condition under which it is written.
type Decision struct {
	Kind   DecisionKind
	Record Record
}

// maxPerCall is the number of stages in one script call. Redis serves no other client during the
// call.
const maxPerCall = 2000

// Decide records decisions. A decision that a worker's claim or report has overtaken is left out
// without an error.
func (j *Journal) Decide(ctx context.Context, run RunID, epoch int64, decisions []Decision) error {
	keys := []string{j.key(run, "run"), j.key(run, "fence"), j.key(run, "journal")}
	for batch := range slices.Chunk(decisions, maxPerCall) {
		args := append(make([]any, 0, 2+4*len(batch)), epoch, string(j.known))
		for _, d := range batch {
			stage, attempt := uint32(d.Record.Stage), uint16(d.Record.Attempt)
			args = append(args, stage, string(d.Kind), attempt, d.Record.append(nil))
		}

		// Which decisions took effect is not returned. The coordinator learns that from the stream,
		// as every reader of the journal does: there is one way for an outcome to become known.
		if _, err := j.flags(ctx, decideScript, run, keys, len(batch), args); err != nil {
			return err
		}
	}

	return nil
}

// ExpectedState is the state of an attempt according to the journal, for attempts that have not
// ended.
type ExpectedState struct {
	AttemptID
	Claimed bool // a worker has claimed it; otherwise it can still be claimed
}

// RepairFence brings the fence into line with the journal, and returns how many attempts had
// another state in it. It does nothing if the journal has entries after known, the last entry that
// the caller has read.
func (j *Journal) RepairFence(ctx context.Context, run RunID, epoch int64, known Position, expected []ExpectedState) (repaired int, err error) {
	keys := []string{j.key(run, "run"), j.key(run, "fence"), j.key(run, "journal"), j.key(run, "out")}
	for batch := range slices.Chunk(expected, maxPerCall) {
		// Each call compares the last entry anew. If a worker claims something between two calls,
		// the later calls change nothing: the caller no longer knows what is right.
		args := append(make([]any, 0, 2+3*len(batch)), epoch, string(known))
		for _, s := range batch {
			args = append(args, uint32(s.Stage), uint16(s.Attempt), s.Claimed)
		}

		wrong, err := j.flags(ctx, repairScript, run, keys, len(batch), args)
		if err != nil {
			return repaired, err
		}

		for _, w := range wrong {
			repaired += int(w)
		}
	}

	return repaired, nil
}
