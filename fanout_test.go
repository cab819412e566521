package godags_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godags/godags"
	"github.com/godags/godags/internal/redistest"
)

// Of ten thousand elements three fail once: all are recorded, in order, and reduced.
func TestMap_RunsTenThousandElements(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("GODAGS_KEY", "the key of these tests")
	var attempts atomic.Int32
	p := squares(10_000, func(ctx context.Context, n int) (int, error) {
		attempts.Add(1)
		if info, _ := godags.InfoOf(ctx); n%4000 == 7 && info.Attempt == 1 {
			return 0, errors.New("not at once")
		}
		return n * n, nil
	}, godags.Retries(1), godags.Backoff{Initial: 10 * time.Millisecond, Factor: 1, Max: time.Second})
	begin := time.Now()
	report, err := godags.Run(t.Context(), p, godags.Redis(server.URL()))
	if err != nil || report.Stages.Succeeded != 10_003 || string(report.Outputs["sum"]) != "333283335000" || attempts.Load() != 10_003 {
		t.Fatalf("%+v, %d attempts, %v", report, attempts.Load(), err)
	}
	t.Logf("%.0f stages/s", 10_003/time.Since(begin).Seconds())
}
