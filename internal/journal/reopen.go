package journal

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/godags/godags/dag"
)

// Reopening is what a finished run goes on with.
type Reopening struct {
	Run         RunID
	Epoch       int64         // in which it was finished: see [Lead]
	Stage       dag.StageID   // that was named, or [dag.NoStage]
	Again       []dag.StageID // what follows from that: see [dag.Run.Reopened]
	Coordinator string        // who will drive it
	Lease       time.Duration
}

// Reopen lets a finished run go on, and returns the epoch in which the coordinator drives it. If somebody else was quicker it
// returns [ErrFenced].
func (j *Journal) Reopen(ctx context.Context, r Reopening) (epoch int64, err error) {
	if err := j.index(ctx, r.Run); err != nil {
		return 0, named(r.Run, err)
	}
	// First the cells, some at a time: while the run is finished nothing can be claimed.
	keys := []string{j.key(r.Run, "run"), j.key(r.Run, "fence")}
	for again := r.Again; len(again) > 0; again = again[min(len(again), maxBatch):] {
		args := []any{r.Epoch}
		for _, s := range again[:min(len(again), maxBatch)] {
			args = append(args, uint32(s))
		}
		if err := unlockScript.Run(ctx, j.rdb, keys, args...).Err(); err != nil {
			return 0, named(r.Run, err)
		}
	}
	record := Record{Type: RunReopened, Stage: r.Stage}.append(nil)
	epoch, err = reopenScript.Run(ctx, j.rdb, []string{j.key(r.Run, "run"), j.key(r.Run, "journal")},
		r.Epoch, r.Coordinator, r.Lease.Milliseconds(), record).Int64()
	if err != nil {
		return 0, named(r.Run, err)
	}
	return epoch, errors.Join(j.dropOutputs(ctx, r), j.unlist(ctx, r.Run, j.endedKey()))
}

// dropOutputs removes what stages have left that are executed again: should one leave nothing this time, the old must not be taken for it.
func (j *Journal) dropOutputs(ctx context.Context, r Reopening) error {
	pipe := j.rdb.Pipeline()
	for batch := range slices.Chunk(r.Again, maxBatch) {
		fields := make([]string, len(batch))
		for i, s := range batch {
			fields[i] = strconv.Itoa(int(s))
		}
		pipe.HDel(ctx, j.key(r.Run, "out"), fields...)
	}
	_, err := pipe.Exec(ctx)
	return named(r.Run, err)
}
