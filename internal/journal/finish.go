package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/godags/godags/dag"
)

// Finished is the text of a run.finished record.
type Finished struct {
	State  string         `json:"state"` // succeeded, failed or cancelled
	Counts map[string]int `json:"stages"`
}

// Finish records the end of a run whose stages are all terminal. If a cancellation was requested,
// even one that the caller has not read, the run ends as cancelled.
func (j *Journal) Finish(ctx context.Context, run RunID, epoch int64, state *dag.Run) error {
	counts := make(map[string]int)
	for _, s := range []dag.State{dag.Succeeded, dag.Failed, dag.Skipped, dag.Cancelled} {
		counts[s.String()] = state.Count(s)
	}

	// The script chooses between two records. A request to cancel may reach Redis at any moment
	// before the end is recorded, and this process may not have read it.
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

// RequestCancel requests the cancellation of a run. Any process that can write to Redis may do so.
// It reports whether the run was still active.
func (j *Journal) RequestCancel(ctx context.Context, run RunID, reason string) (bool, error) {
	// Epoch 0 is anybody's: a user cancels a run that some coordinator owns.
	was, err := j.end(ctx, run, "cancelling", 0, Record{Type: RunCancelling, Text: reason})
	return err == nil && was != "finished", err
}

// TimeOut requests the cancellation of a run that has reached its time limit, as its coordinator
// finds.
func (j *Journal) TimeOut(ctx context.Context, run RunID, epoch int64, limit time.Duration) error {
	// The limit is in a field besides the text: readers tell a time-out from other cancellations by
	// it.
	record := Record{Type: RunCancelling, Text: "timed out after " + limit.String(), Duration: limit}
	_, err := j.end(ctx, run, "cancelling", epoch, record)
	return err
}

// Now returns the time by the clock of Redis, to the microsecond.
func (j *Reader) Now(ctx context.Context) (time.Time, error) { return j.rdb.Time(ctx).Result() }

// end moves a run to a state, and returns the state before. It records the first record, or the
// last one if the run is being cancelled.
func (j *Journal) end(ctx context.Context, run RunID, state string, epoch int64, records ...Record) (was string, err error) {
	first := records[0].append(nil)
	last := records[len(records)-1].append(nil)
	keys := []string{j.key(run, "run"), j.key(run, "journal"), openKey, endedKey}
	was, err = endScript.Run(ctx, j.rdb, keys, state, epoch, first, last, string(j.known), string(run)).Text()
	return was, named(run, err)
}
