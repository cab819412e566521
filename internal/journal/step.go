package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
)

// AttemptID names one execution of a stage.
type AttemptID struct {
	Stage   dag.StageID
	Attempt dag.Attempt
}

// Token proves that a claim is one's own.
type Token [5]byte

// NewToken returns a random token. Every claim needs a new one.
func NewToken() (t Token) {
	rand.Read(t[:]) // never fails
	return t
}

// Claim is who claims attempts and reports on them: a worker with one bundle of a run.
type Claim struct {
	Run    RunID
	Digest string // of the spec that the run must have
	Worker string
	Token  Token
	// entry of the journal that the claims follow from; empty for none. If the journal has lost it,
	// or the run was reopened since, they are refused with [ErrTruncated].
	After Position
}

// Outcome is how an attempt ended.
type Outcome struct {
	// of type StageSucceeded, StageFailed, StageSkipped (by itself), StageLost (requeued) or
	// StageCancelled
	Record Record
	Output []byte // recorded with a success; nil for none
	Log    []byte // the attempt's captured output
}

// Op is one line of a [Journal.Step]: how an attempt ended, or the claim of one.
type Op struct {
	Outcome // a record of type StageStarted is a claim
	// a claim that follows from the move before it: granted only if that one ended its stage, and
	// was accepted
	Linked  bool
	CleanUp bool // a claim that is granted while the run is being cancelled too
}

// ClaimOp asks for the right to execute an attempt.
func ClaimOp(a AttemptID) Op {
	return Op{Outcome: Outcome{Record: Record{Type: StageStarted, Stage: a.Stage, Attempt: a.Attempt}}}
}

// Of returns the attempt that the move is about.
func (m Op) Of() AttemptID { return AttemptID{m.Record.Stage, m.Record.Attempt} }

// Step makes moves in their order, in one call to Redis and in one entry of the journal. It answers
// for each whether it was accepted: the outcome of an attempt that was revoked is not. At most one
// claim of an attempt is, and none once the run is being cancelled, unless it is for cleaning up.
//
// With a linked claim the attempt may have been executed before it was claimed: no other worker can
// be given a stage before the success of its only dependency is recorded, which takes the claim of
// that one.
func (j *Journal) Step(ctx context.Context, c Claim, moves []Op) (accepted []bool, err error) {
	keys := []string{j.key(c.Run, "run"), j.key(c.Run, "fence"), j.key(c.Run, "journal"), j.key(c.Run, "out"), j.key(c.Run, "log")}
	answers, err := stepScript.Run(ctx, j.rdb, keys, stepArgs(c, moves)...).Text()
	if err == nil && len(answers) != len(moves) {
		err = fmt.Errorf("script returned %d answers to %d questions", len(answers), len(moves))
	}
	if err != nil {
		return nil, named(c.Run, err)
	}

	accepted = make([]bool, len(moves))
	for i := range accepted {
		accepted[i] = answers[i] == '1'
	}
	return accepted, nil
}

// The kinds of move: the state to which they bring a fence cell, and what else they have.
const (
	cellClaimed  = 1
	cellEnded    = 2 // a further attempt may be claimed
	cellTerminal = 3
	withOutput   = 4
	withLog      = 8
	linked       = 16
	cleanUp      = 32
)

func (m Op) kind() byte {
	k := byte(cellEnded)
	switch m.Record.Type {
	case StageStarted:
		k = cellClaimed
	case StageSucceeded, StageSkipped, StageCancelled:
		k = cellTerminal
	}

	if m.Output != nil {
		k += withOutput
	}

	if len(m.Log) > 0 {
		k += withLog
	}

	if m.Linked {
		k += linked
	}

	if m.CleanUp {
		k += cleanUp
	}
	return k
}

// stepArgs packs the arguments of the script, which says how: many short ones would cost more than
// all else.
func stepArgs(c Claim, moves []Op) []any {
	stages := make([]dag.StageID, len(moves))
	for i, m := range moves {
		stages[i] = m.Record.Stage
	}

	packed, places := ranges(stages)
	digest := ""
	lines := make([]byte, 0, 7*len(moves))
	records := make([]byte, 0, 16*len(moves))
	args := []any{c.Worker, c.Token[:], nil, packed, nil, nil, string(c.After)}
	for _, m := range moves {
		before := len(records)
		records = m.Record.append(records) // of a few KiB at the most
		lines = binary.BigEndian.AppendUint16(lines, places[m.Record.Stage])
		lines = binary.BigEndian.AppendUint16(lines, uint16(m.Record.Attempt))
		lines = append(lines, m.kind())
		lines = binary.BigEndian.AppendUint16(lines, uint16(len(records)-before))
		if m.Record.Type == StageStarted {
			digest = c.Digest
		}

		if m.Output != nil {
			args = append(args, uint32(m.Record.Stage), m.Output)
		}

		if len(m.Log) > 0 {
			args = append(args, logField(m.Of()), m.Log)
		}
	}

	args[2], args[4], args[5] = digest, lines, records
	return args
}

// maxGap is how many cells between two others are cheaper to read and write than a further call.
const maxGap = 4

// ranges packs the cells of stages as ranges that are read and written at once, and returns the
// place of each among all their cells, from 1. It sorts the stages.
func ranges(stages []dag.StageID) (packed []byte, places map[dag.StageID]uint16) {
	slices.Sort(stages)
	places = make(map[dag.StageID]uint16, len(stages))
	cells := 0
	for i := 0; i < len(stages); {
		first := stages[i]
		last := stages[i]
		for ; i < len(stages) && stages[i]-last <= maxGap+1; i++ {
			last = stages[i]
			places[last] = uint16(cells + int(last-first) + 1)
		}

		cells += int(last-first) + 1
		packed = binary.BigEndian.AppendUint32(packed, uint32(first))
		packed = binary.BigEndian.AppendUint32(packed, uint32(last-first+1))
	}

	return packed, places
}

// Claim is a [Journal.Step] of claims only.
func (j *Journal) Claim(ctx context.Context, c Claim, claims []AttemptID) (granted []bool, err error) {
	moves := make([]Op, len(claims))
	for i, a := range claims {
		moves[i] = ClaimOp(a)
	}
	return j.Step(ctx, c, moves)
}

// Report is a [Journal.Step] of outcomes only.
func (j *Journal) Report(ctx context.Context, c Claim, outcomes []Outcome) (accepted []bool, err error) {
	moves := make([]Op, len(outcomes))
	for i, o := range outcomes {
		moves[i] = Op{Outcome: o}
	}
	return j.Step(ctx, c, moves)
}
