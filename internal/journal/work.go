package journal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/godags/godags/dag"
)

// Attempted names one execution of a stage.
type Attempted struct {
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

// Outcome is how an attempt ended.
type Outcome struct {
	Record Record // of type StageSucceeded, StageFailed, StageLost (handed back) or StageCancelled
	Output []byte // recorded with a success; nil for none
	Log    []byte // the attempt's captured output
}

// The states of a fence cell after a report.
const (
	cellEnded    = 2 // a further attempt may be claimed
	cellTerminal = 3
)

// Claimant is who claims attempts and reports on them: a worker with one bundle of a run.
type Claimant struct {
	Run    RunID
	Digest string // of the spec that the run must have
	Worker string
	Token  Token
}

// Step records how attempts ended, then asks for the right to execute further ones, in one call to Redis and in one entry of the journal.
// It answers for each outcome whether it was accepted: that of an attempt which was revoked is not. And for each claim whether it
// was granted: at most one claim of an attempt is, and none once the run is being cancelled.
func (j *Journal) Step(ctx context.Context, c Claimant, outcomes []Outcome, claims []Attempted) (accepted, granted []bool, err error) {
	keys := []string{j.key(c.Run, "run"), j.key(c.Run, "fence"), j.key(c.Run, "journal"), j.key(c.Run, "out"), j.key(c.Run, "log")}
	args := append(make([]any, 0, 4+7*len(outcomes)+3*len(claims)), c.Worker, c.Token[:], c.Digest, len(outcomes))
	for _, o := range outcomes {
		cell, hasOutput := cellEnded, 0
		if o.Record.Type == StageSucceeded || o.Record.Type == StageCancelled {
			cell = cellTerminal
		}
		if o.Output != nil {
			hasOutput = 1
		}
		args = append(args, uint32(o.Record.Stage), uint16(o.Record.Attempt), cell, o.Record.append(nil), hasOutput, o.Output, o.Log)
	}
	for _, a := range claims {
		record := Record{Type: StageStarted, Stage: a.Stage, Attempt: a.Attempt}.append(nil)
		args = append(args, uint32(a.Stage), uint16(a.Attempt), record)
	}
	flags, err := j.flags(ctx, stepScript, c.Run, keys, len(outcomes)+len(claims), args)
	if err != nil {
		return nil, nil, err
	}
	yes := make([]bool, len(flags))
	for i, f := range flags {
		yes[i] = f == 1
	}
	return yes[:len(outcomes)], yes[len(outcomes):], nil
}

// Claim is a [Journal.Step] without outcomes.
func (j *Journal) Claim(ctx context.Context, c Claimant, claims []Attempted) (granted []bool, err error) {
	_, granted, err = j.Step(ctx, c, nil, claims)
	return granted, err
}

// Report is a [Journal.Step] without claims.
func (j *Journal) Report(ctx context.Context, c Claimant, outcomes []Outcome) (accepted []bool, err error) {
	accepted, _, err = j.Step(ctx, c, outcomes, nil)
	return accepted, err
}

// Order is what a worker should do with an attempt that it executes.
type Order int64

// The orders.
const (
	GoOn  Order = 0
	Stop  Order = 1 // the run is being cancelled: stop, and report so
	Yield Order = 2 // the claim is void: stop, there is nothing to report
)

// Check returns the orders for attempts that were claimed with the token.
func (j *Journal) Check(ctx context.Context, run RunID, token Token, attempts []Attempted) ([]Order, error) {
	args := append(make([]any, 0, 1+2*len(attempts)), token[:])
	for _, a := range attempts {
		args = append(args, uint32(a.Stage), uint16(a.Attempt))
	}
	flags, err := j.flags(ctx, checkScript, run, []string{j.key(run, "run"), j.key(run, "fence")}, len(attempts), args)
	orders := make([]Order, len(flags))
	for i, f := range flags {
		orders[i] = Order(f)
	}
	return orders, err
}

// SaveLog keeps what an attempt has printed so far.
func (j *Journal) SaveLog(ctx context.Context, run RunID, a Attempted, log []byte) error {
	return named(run, saveLogScript.Run(ctx, j.rdb, []string{j.key(run, "run"), j.key(run, "log")}, logField(a), log).Err())
}

func logField(a Attempted) string {
	return strconv.Itoa(int(a.Stage)) + ":" + strconv.Itoa(int(a.Attempt))
}

// WorkerInfo is what a worker says of itself.
type WorkerInfo struct {
	ID      string        `json:"-"`
	Age     time.Duration `json:"-"` // since its last beat, by the clock of Redis
	Host    string        `json:"host"`
	PID     int           `json:"pid"`
	Queues  []string      `json:"queues"`
	Run     RunID         `json:"run,omitempty"` // the only run that it serves; empty: it serves all
	Slots   int           `json:"slots"`         // stages that it executes at once
	Busy    int           `json:"busy"`          // stages that it executes now
	Version string        `json:"version"`       // of godags
	Key     string        `json:"key"`           // fingerprint of the key with which stages must be signed
	Started time.Time     `json:"started"`       // by its own clock
}

// WorkerTTL is how long after its last beat a worker is taken for dead.
const WorkerTTL = 3 * time.Second

// BeatEvery is how often a worker should say that it lives.
const BeatEvery = 500 * time.Millisecond

// Alive reports whether the worker's last beat is recent.
func (w WorkerInfo) Alive() bool { return w.Age < WorkerTTL }

// Serves reports whether the worker lives and takes stages of the run.
func (w WorkerInfo) Serves(run RunID) bool { return w.Alive() && (w.Run == "" || w.Run == run) }

// Beat says that a worker lives.
func (j *Journal) Beat(ctx context.Context, w WorkerInfo) error {
	if err := j.beat(ctx, j.workersKey(), w.ID, w); err != nil {
		return fmt.Errorf("worker %s: heartbeat: %w", w.ID, err)
	}
	return nil
}

// Leave takes a worker off the list.
func (j *Journal) Leave(ctx context.Context, worker string) error {
	if err := j.rdb.HDel(ctx, j.workersKey(), worker).Err(); err != nil {
		return fmt.Errorf("worker %s: leave: %w", worker, err)
	}
	return nil
}

// Workers lists the workers that have said something in the last minute.
func (j *Journal) Workers(ctx context.Context) ([]WorkerInfo, error) {
	var workers []WorkerInfo
	err := j.heard(ctx, j.workersKey(), func(id string, age time.Duration, info []byte) {
		w := WorkerInfo{}
		if json.Unmarshal(info, &w) != nil {
			return // somebody else's entry
		}
		w.ID, w.Age = id, age
		workers = append(workers, w)
	})
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	return workers, nil
}
