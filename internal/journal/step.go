package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/logtext"
)

// AttemptID names one execution of a stage.
type AttemptID struct {
	Stage   dag.StageID
	Attempt dag.Attempt
}

// Token tells the claims of one delivery of a batch from all other claims of the same attempts.
type Token [5]byte

// NewToken returns a random token. Each delivery of a batch needs a new one, for all its claims.
func NewToken() (t Token) {
	rand.Read(t[:]) // never fails
	return t
}

// Claim is what a worker shows with each claim and report of one delivered batch. The right to
// execute an attempt is what Redis grants for it.
type Claim struct {
	Run    RunID
	Digest string // of the spec that the run must have
	Worker string
	Token  Token

	// After is the entry that the claims follow from, or [Start]. If the journal has lost that
	// entry, or the run was reopened since, claims are refused with [ErrTruncated].
	After Position
}

// Outcome is how an attempt ended.
type Outcome struct {
	// Record has the type StageSucceeded, StageFailed, StageSkipped (its condition is false),
	// StageLost (requeued) or StageCancelled.
	Record Record
	Output []byte       // recorded with a success; nil for none
	Log    logtext.Text // the captured output of the attempt
}

// Op is one operation of a [Journal.Step]: the claim of an attempt, or how an attempt ended.
type Op struct {
	Outcome // a record of type StageStarted is a claim

	// Linked marks a claim that is granted only if the op before it was accepted and ended its
	// stage.
	Linked  bool
	CleanUp bool // the claim is granted even while the run is being cancelled
}

// ClaimOp asks for the right to execute an attempt.
func ClaimOp(a AttemptID) Op {
	return Op{Outcome: Outcome{Record: Record{Type: StageStarted, Stage: a.Stage, Attempt: a.Attempt}}}
}

// Of returns the attempt that the op is about.
func (m Op) Of() AttemptID { return AttemptID{m.Record.Stage, m.Record.Attempt} }

// Step executes ops in their order, in one call to Redis, and records them in one entry. It reports
// for each op whether it was accepted.
//
// The outcome of a revoked attempt is not accepted. At most one claim of an attempt is granted, and
// none once the run is being cancelled, except for cleaning up.
//
// The attempt of a linked claim may have been executed before it is claimed. No other worker gets
// a stage before the success of its only dependency is recorded, and only the holder of that claim
// can have it recorded.
func (j *Journal) Step(ctx context.Context, c Claim, ops []Op) (accepted []bool, err error) {
	// One call for outcomes and the next claims: a round trip costs more than a small stage.
	var keys []string
	for _, what := range []string{"run", "fence", "journal", "out", "log"} {
		keys = append(keys, j.key(c.Run, what))
	}

	answers, err := stepScript.Run(ctx, j.rdb, keys, stepArgs(c, ops)...).Text()
	if err == nil && len(answers) != len(ops) {
		err = fmt.Errorf("script returned %d answers to %d questions", len(answers), len(ops))
	}
	if err != nil {
		return nil, named(c.Run, err)
	}

	accepted = make([]bool, len(ops))
	for i := range accepted {
		accepted[i] = answers[i] == '1'
	}
	return accepted, nil
}

// The kind of an op is the state that its fence cell gets, plus bits for what else the op has.
const (
	cellClaimed  = 1
	cellEnded    = 2 // a further attempt may be claimed
	cellTerminal = 3
	withOutput   = 4
	withLog      = 8
	linked       = 16
	cleanUp      = 32
	withLogTail  = 64
)

func (m Op) kind() byte {
	// A failed or lost attempt ends only itself: whether the stage gets another attempt is not
	// known to the worker, so its cell stays open for one.
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

	if len(m.Log.Head) > 0 {
		k += withLog
	}
	if len(m.Log.Tail) > 0 {
		k += withLogTail
	}

	if m.Linked {
		k += linked
	}

	if m.CleanUp {
		k += cleanUp
	}
	return k
}

// stepArgs packs the arguments of the script, in the form that step.lua describes.
func stepArgs(c Claim, ops []Op) []any {
	// Packed, because an argument for each number would cost more than all the rest of the call.
	stages := make([]dag.StageID, len(ops))
	for i, m := range ops {
		stages[i] = m.Record.Stage
	}

	packed, places := ranges(stages)
	digest := ""
	lines := make([]byte, 0, 7*len(ops))
	records := make([]byte, 0, 16*len(ops))
	args := []any{c.Worker, c.Token[:], nil, packed, nil, nil, string(c.After)}
	for _, m := range ops {
		before := len(records)
		records = m.Record.append(records)

		// Two bytes hold the length of a record: its texts are limited to a few KiB.
		lines = binary.BigEndian.AppendUint16(lines, places[m.Record.Stage])
		lines = binary.BigEndian.AppendUint16(lines, uint16(m.Record.Attempt))
		lines = append(lines, m.kind())
		lines = binary.BigEndian.AppendUint16(lines, uint16(len(records)-before))

		// A report goes through whatever spec the run has: its token is enough.
		if m.Record.Type == StageStarted {
			digest = c.Digest
		}

		if m.Output != nil {
			args = append(args, uint32(m.Record.Stage), m.Output)
		}

		if len(m.Log.Head) > 0 {
			args = append(args, headField(m.Of()), m.Log.Head)
		}
		if len(m.Log.Tail) > 0 {
			args = append(args, tailField(m.Of()), encodeTail(m.Log))
		}
	}

	args[2], args[4], args[5] = digest, lines, records
	return args
}

// maxGap is the number of unused cells between two others up to which one range is cheaper than two
// calls of Redis.
const maxGap = 4

// ranges packs the cells of stages as ranges, which the script reads and writes at once. It returns
// the place of each stage among all cells of the ranges, from 1 as in Lua. It sorts the stages.
func ranges(stages []dag.StageID) (packed []byte, places map[dag.StageID]uint16) {
	slices.Sort(stages)
	places = make(map[dag.StageID]uint16, len(stages))
	cells := 0
	for i := 0; i < len(stages); {
		// A batch mostly has stages that are neighbours in the graph, so one range is the rule.
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
	ops := make([]Op, len(claims))
	for i, a := range claims {
		ops[i] = ClaimOp(a)
	}
	return j.Step(ctx, c, ops)
}

// Report is a [Journal.Step] of outcomes only.
func (j *Journal) Report(ctx context.Context, c Claim, outcomes []Outcome) (accepted []bool, err error) {
	ops := make([]Op, len(outcomes))
	for i, o := range outcomes {
		ops[i] = Op{Outcome: o}
	}
	return j.Step(ctx, c, ops)
}
