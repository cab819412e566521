package journal

import (
	"context"
	"slices"
	"time"

	"github.com/godags/godags/dag"
)

// Reopening says which stages of a finished run are executed again.
type Reopening struct {
	Run         RunID
	Epoch       int64         // of the finished run: see [Ownership]
	Stage       dag.StageID   // the stage that the user named, or [dag.NoStage]
	Again       []dag.StageID // all stages that are executed again: see [dag.Run.Reopened]
	Coordinator string        // the new owner
	Lease       time.Duration
}

// Reopen makes a finished run active again, and returns the epoch of its new owner. If another
// coordinator has reopened the run first it returns [ErrFenced].
func (j *Journal) Reopen(ctx context.Context, r Reopening) (epoch int64, err error) {
	// First the fence cells and outputs, in parts, so that no script blocks Redis for long. Nothing
	// can be claimed while the run is finished. A process that dies here leaves a finished run,
	// which can be reopened again.
	keys := []string{j.key(r.Run, "run"), j.key(r.Run, "fence"), j.key(r.Run, "out")}
	for batch := range slices.Chunk(r.Again, maxPerCall) {
		args := []any{r.Epoch}
		for _, s := range batch {
			args = append(args, uint32(s))
		}
		if err := unlockScript.Run(ctx, j.rdb, keys, args...).Err(); err != nil {
			return 0, named(r.Run, err)
		}
	}

	// Last the state of the run, in one step with the record. The script compares the epoch again:
	// of two coordinators that have come so far, one succeeds.
	record := Record{Type: RunReopened, Stage: r.Stage}.append(nil)
	keys = []string{j.key(r.Run, "run"), j.key(r.Run, "journal"), runsKey, openKey, endedKey}
	epoch, err = reopenScript.Run(ctx, j.rdb, keys, r.Epoch, r.Coordinator, r.Lease.Milliseconds(), record, string(r.Run)).Int64()
	return epoch, named(r.Run, err)
}
