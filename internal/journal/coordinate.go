package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/version"
)

// Submission is what a run begins with.
type Submission struct {
	Run         RunID
	Pipeline    string
	Stages      int
	Digest      string // of Spec
	Spec        []byte
	Incarnation string // random: tells the run from others of the same id, before it and after it
	Signature   string // of run, incarnation and digest, by the submitter
	Coordinator string // who submits it, and will drive it
	Lease       time.Duration
	Keep        time.Duration // after its end; 0: for ever
	Detached    bool          // it has no coordinator yet: its epoch is 0, whatever the lease
}

// Submitted is the text of a run.submitted record.
type Submitted struct {
	Format   int    `json:"format"` // see [version.Format]
	Pipeline string `json:"pipeline"`
	Stages   int    `json:"stages"`
	Digest   string `json:"digest"`
}

// ErrExists says that a run with this id was submitted before.
var ErrExists = errors.New("the run ID is taken")

// Submit creates a run, whole or not at all, and returns the submitter's epoch. If the id is taken
// it returns [ErrExists], and [ErrDigest] as well if that run has another spec.
func (j *Journal) Submit(ctx context.Context, s Submission) (epoch int64, err error) {
	text, err := json.Marshal(Submitted{version.Format, s.Pipeline, s.Stages, s.Digest})
	if err != nil {
		return 0, fmt.Errorf("submit run %s: %w", s.Run, err)
	}

	first := 1
	if s.Detached {
		first = 0
		s.Lease = 0
	}

	record := Record{Type: RunSubmitted, Text: string(text)}.append(nil)
	keys := []string{j.key(s.Run, "run"), j.key(s.Run, "spec"), j.key(s.Run, "journal"), runsKey, openKey}
	got, err := submitScript.Run(ctx, j.rdb, keys, s.Digest, s.Spec, s.Pipeline, s.Stages, s.Coordinator, s.Lease.Milliseconds(), record,
		s.Signature, first, s.Keep.Milliseconds(), s.Incarnation, string(s.Run)).Slice()
	if err != nil {
		return 0, fmt.Errorf("submit run %s: %w", s.Run, err)
	}

	created := got[0].(int64) == 1
	digest := got[1].(string)
	epoch = got[2].(int64)
	switch {
	case !created && digest != s.Digest:
		return 0, fmt.Errorf("submit run %s: %w: %w", s.Run, ErrExists, ErrDigest)
	case !created:
		return 0, fmt.Errorf("submit run %s: %w", s.Run, ErrExists)
	}

	return epoch, nil
}

// Acquire makes the coordinator the owner of a run whose lease is free or has expired, and returns
// the epoch. If another coordinator owns the run it returns [ErrFenced].
func (j *Journal) Acquire(ctx context.Context, run RunID, coordinator string, lease time.Duration) (epoch int64, err error) {
	return j.acquire(ctx, run, coordinator, lease, 0)
}

// Renew keeps the coordinator the driver of the run for another lease. After [ErrFenced] it must
// stop driving.
func (j *Journal) Renew(ctx context.Context, run RunID, coordinator string, lease time.Duration, epoch int64) error {
	_, err := j.acquire(ctx, run, coordinator, lease, epoch)
	return err
}

func (j *Journal) acquire(ctx context.Context, run RunID, coordinator string, lease time.Duration, epoch int64) (int64, error) {
	got, err := acquireScript.Run(ctx, j.rdb, []string{j.key(run, "run")}, coordinator, lease.Milliseconds(), epoch).Slice()
	if err != nil {
		return 0, named(run, err)
	}
	if epoch = got[0].(int64); epoch == 0 {
		return 0, named(run, fmt.Errorf("%w: %v", ErrFenced, got[1]))
	}
	return epoch, nil
}

// Release gives up a run that the coordinator drives: another may acquire it at once. It does
// nothing if another has done so already.
func (j *Journal) Release(ctx context.Context, run RunID, coordinator string, epoch int64) error {
	return named(run, releaseScript.Run(ctx, j.rdb, []string{j.key(run, "run")}, coordinator, epoch).Err())
}

// DecisionKind says when a decision about a stage takes effect.
type DecisionKind string

// The kinds of decision.
const (
	// the stage is skipped or cancelled, unless a worker has claimed it
	EndUnexecuted DecisionKind = "T"
	// the claim of the attempt is void and the next attempt may be claimed
	Revoke    DecisionKind = "L"
	EndForced DecisionKind = "F" // the claim of the attempt is void and the stage is finished
)

// Decision is a record of the coordinator's, and when it takes effect.
type Decision struct {
	Kind   DecisionKind
	Record Record
}

// maxPerCall is the number of stages that one script call goes through: Redis serves no other client
// meanwhile.
const maxPerCall = 2000

// Decide records decisions. One that a worker's claim or report has overtaken is left out without
// an error.
func (j *Journal) Decide(ctx context.Context, run RunID, epoch int64, decisions []Decision) error {
	keys := []string{j.key(run, "run"), j.key(run, "fence"), j.key(run, "journal")}
	for len(decisions) > 0 {
		batch := decisions[:min(len(decisions), maxPerCall)]
		decisions = decisions[len(batch):]
		args := append(make([]any, 0, 2+4*len(batch)), epoch, string(j.known))
		for _, d := range batch {
			args = append(args, uint32(d.Record.Stage), string(d.Kind), uint16(d.Record.Attempt), d.Record.append(nil))
		}

		if _, err := j.flags(ctx, decideScript, run, keys, len(batch), args); err != nil {
			return err
		}
	}

	return nil
}

// ExpectedState is what the journal says of an attempt that has not ended.
type ExpectedState struct {
	AttemptID
	Claimed bool // by a worker; otherwise it can still be claimed
}

// RepairFence makes Redis grant, accept and revoke as the journal says, and returns how many of the
// attempts it had otherwise. It does nothing if there are entries behind known, the last that the
// caller has read.
func (j *Journal) RepairFence(ctx context.Context, run RunID, epoch int64, known Position, standings []ExpectedState) (mended int, err error) {
	keys := []string{j.key(run, "run"), j.key(run, "fence"), j.key(run, "journal"), j.key(run, "out")}
	for batch := range slices.Chunk(standings, maxPerCall) {
		args := append(make([]any, 0, 2+3*len(batch)), epoch, string(known))
		for _, s := range batch {
			args = append(args, uint32(s.Stage), uint16(s.Attempt), s.Claimed)
		}

		wrong, err := j.flags(ctx, repairScript, run, keys, len(batch), args)
		if err != nil {
			return mended, err
		}

		for _, w := range wrong {
			mended += int(w)
		}
	}

	return mended, nil
}

// Finished is the text of a run.finished record.
type Finished struct {
	State  string         `json:"state"` // succeeded, failed or cancelled
	Counts map[string]int `json:"stages"`
}

// Finish records the end of a run whose stages are all terminal. A run whose cancellation was asked
// for, which the caller may not know yet, ends as cancelled.
func (j *Journal) Finish(ctx context.Context, run RunID, epoch int64, state *dag.Run) error {
	counts := make(map[string]int)
	for _, s := range []dag.State{dag.Succeeded, dag.Failed, dag.Skipped, dag.Cancelled} {
		counts[s.String()] = state.Count(s)
	}

	var records []Record
	for _, outcome := range []dag.State{state.Outcome(), dag.Cancelled} {
		text, err := json.Marshal(Finished{outcome.String(), counts})
		if err != nil {
			return fmt.Errorf("finish run %s: %w", run, err)
		}
		records = append(records, Record{Type: RunFinished, Text: string(text)})
	}

	_, err := j.end(ctx, run, "finished", epoch, records...)
	return err
}

// RequestCancel asks for the cancellation of a run, by any process that may write to Redis. It
// reports whether the run was still going on.
func (j *Journal) RequestCancel(ctx context.Context, run RunID, reason string) (bool, error) {
	was, err := j.end(ctx, run, "cancelling", 0, Record{Type: RunCancelling, Text: reason})
	return err == nil && was != "finished", err
}

// TimeOut asks for the cancellation of a run whose time limit is over, as its driver finds.
func (j *Journal) TimeOut(ctx context.Context, run RunID, epoch int64, limit time.Duration) error {
	_, err := j.end(ctx, run, "cancelling", epoch, Record{Type: RunCancelling, Text: "timed out after " + limit.String(), Duration: limit})
	return err
}

// Now returns the time by the clock of Redis, to the microsecond.
func (j *Reader) Now(ctx context.Context) (time.Time, error) { return j.rdb.Time(ctx).Result() }

// end records the first record, or the last if the run is being cancelled.
func (j *Journal) end(ctx context.Context, run RunID, state string, epoch int64, records ...Record) (was string, err error) {
	first := records[0].append(nil)
	last := records[len(records)-1].append(nil)
	keys := []string{j.key(run, "run"), j.key(run, "journal"), openKey, endedKey}
	was, err = endScript.Run(ctx, j.rdb, keys, state, epoch, first, last, string(j.known), string(run)).Text()
	return was, named(run, err)
}
