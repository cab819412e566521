package worker

import (
	"context"
	"time"
)

// saveLogsEvery is the time between two looks at what attempts have printed. A reader looks about
// as often, so that a line is seen within a second.
const saveLogsEvery = 500 * time.Millisecond

// saveLogs writes the output of running attempts to Redis. A call carries at most what a log keeps,
// 64 KiB: an attempt that prints faster loses lines in the middle, not time.
//
// It has its own goroutine: on a slow network the controls of attempts must not wait for output.
func (w *Worker) saveLogs(ctx context.Context) {
	tick := time.NewTicker(saveLogsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}

		for _, b := range w.batches.list() {
			// Without a limit, one lost reply would hold up the logs of all attempts.
			bounded, cancel := context.WithTimeout(ctx, 2*saveLogsEvery)
			err := b.saveLog(bounded)
			cancel()
			if err != nil && ctx.Err() == nil {
				// What is not saved is sent with the next call, or with the report.
				w.Logger.Debug("cannot save what a stage has printed, will try again", "run", b.Claim.Run, "error", err)
			}
		}
	}
}

// saveLog saves the log of the attempt that is running, if the journal knows the attempt: one that
// is fused with the attempt before it may have started before it is claimed. It is claimed a few
// milliseconds later, see ReportAfter in package delivery.
func (b *batch) saveLog(ctx context.Context) error {
	b.mu.Lock()
	claimed := b.machine.RunningClaimed()
	current := b.current
	b.mu.Unlock()
	if current == nil || !claimed {
		return nil
	}
	return current.SaveLog(ctx)
}
