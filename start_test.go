package godags_test

import (
	"testing"
	"time"

	"github.com/godags/godags"
	"github.com/godags/godags/examples/simple"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

func TestARunIsKeptForAsLongAsIsAskedFor(t *testing.T) {
	server := redistest.Start(t)
	for id, want := range map[string]time.Duration{"an-hour": time.Hour, "a-day": 24 * time.Hour} {
		report, err := start(t, simple.Pipeline(), godags.Redis(server.URL()), godags.RunID(id), godags.Keep(want))
		mustSucceed(t, report, err)
		s, err := journal.New(server.Client()).Summary(t.Context(), journal.RunID(id))
		if err != nil || s.Expires.Sub(s.Finished) != want {
			t.Errorf("%s is kept until %s, %s after its end, %v", id, s.Expires, s.Expires.Sub(s.Finished), err)
		}
	}
}
