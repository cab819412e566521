package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/godags/godags/internal/version"
)

// Submission is a run to be created.
type Submission struct {
	Run         RunID
	Pipeline    string
	Stages      int
	Digest      string // of Spec
	Spec        []byte
	Incarnation string // random: tells the run from earlier and later runs with the same ID
	Signature   string // of run, incarnation and digest, by the submitter
	Coordinator string // the submitter, which owns the run first
	Lease       time.Duration
	Keep        time.Duration // how long the run is kept after it finished; 0: for ever
	Detached    bool          // submit without a coordinator: epoch 0 and no lease
}

// Submitted is the text of a run.submitted record.
type Submitted struct {
	Format   int    `json:"format"` // see [version.Format]
	Pipeline string `json:"pipeline"`
	Stages   int    `json:"stages"`
	Digest   string `json:"digest"`
}

// ErrExists says that a run with this ID was submitted before.
var ErrExists = errors.New("the run ID is taken")

// Submit creates a run, whole or not at all, and returns the submitter's epoch. If the ID is taken
// it returns [ErrExists], and [ErrDigest] as well if that run has another spec.
func (j *Journal) Submit(ctx context.Context, s Submission) (epoch int64, err error) {
	text, err := json.Marshal(Submitted{version.Format, s.Pipeline, s.Stages, s.Digest})
	if err != nil {
		return 0, fmt.Errorf("submit run %s: %w", s.Run, err)
	}

	// Without a lease, the next coordinator that looks through the open runs acquires the run at
	// once. Epoch 0 tells a queued run from a stalled one, which had a coordinator before.
	first := 1
	if s.Detached {
		first = 0
		s.Lease = 0
	}

	record := Record{Type: RunSubmitted, Text: string(text)}.append(nil)
	keys := []string{j.key(s.Run, "run"), j.key(s.Run, "spec"), j.key(s.Run, "journal"), runsKey, openKey}
	got, err := submitScript.Run(ctx, j.rdb, keys,
		s.Digest, s.Spec, s.Pipeline, s.Stages, s.Coordinator, s.Lease.Milliseconds(), record,
		s.Signature, first, s.Keep.Milliseconds(), s.Incarnation, string(s.Run)).Slice()
	if err != nil {
		return 0, fmt.Errorf("submit run %s: %w", s.Run, err)
	}

	created := got[0].(int64) == 1
	digest := got[1].(string)
	epoch = got[2].(int64)

	// The same spec under the same ID is the same work: the caller may follow that run instead of
	// failing. So the two cases must be told apart.
	switch {
	case !created && digest != s.Digest:
		return 0, fmt.Errorf("submit run %s: %w: %w", s.Run, ErrExists, ErrDigest)
	case !created:
		return 0, fmt.Errorf("submit run %s: %w", s.Run, ErrExists)
	}

	return epoch, nil
}
