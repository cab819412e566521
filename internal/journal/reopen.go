package journal

import (
	"context"
	"time"

	"github.com/godags/godags/dag"
)

// Reopening is what a finished run is to execute again.
type Reopening struct {
	Run         RunID
	Epoch       int64         // in which it was finished: see [Ownership]
	Stage       dag.StageID   // that was named, or [dag.NoStage]
	Again       []dag.StageID // what follows from that: see [dag.Run.Reopened]
	Coordinator string        // who will drive it
	Lease       time.Duration
}

// Reopen lets a finished run go on, and returns the epoch in which the coordinator drives it. If
// another coordinator was quicker it returns [ErrFenced].
func (j *Journal) Reopen(ctx context.Context, r Reopening) (epoch int64, err error) {
	// First the cells and outputs, some at a time: while the run is finished nothing can be
	// claimed. Who dies here leaves a finished run, to be reopened again.
	keys := []string{j.key(r.Run, "run"), j.key(r.Run, "fence"), j.key(r.Run, "out")}
	for again := r.Again; len(again) > 0; again = again[min(len(again), maxPerCall):] {
		args := []any{r.Epoch}
		for _, s := range again[:min(len(again), maxPerCall)] {
			args = append(args, uint32(s))
		}
		if err := unlockScript.Run(ctx, j.rdb, keys, args...).Err(); err != nil {
			return 0, named(r.Run, err)
		}
	}

	record := Record{Type: RunReopened, Stage: r.Stage}.append(nil)
	keys = []string{j.key(r.Run, "run"), j.key(r.Run, "journal"), runsKey, openKey, endedKey}
	epoch, err = reopenScript.Run(ctx, j.rdb, keys, r.Epoch, r.Coordinator, r.Lease.Milliseconds(), record, string(r.Run)).Int64()
	return epoch, named(r.Run, err)
}
