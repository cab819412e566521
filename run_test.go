package godags_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/godags/godags"
	"github.com/godags/godags/examples/simple"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

// TestMain takes away what a person has set for their own runs.
func TestMain(m *testing.M) {
	for _, name := range []string{"REDIS_URL", "GODAGS_HOME", "GODAGS_KEY"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

func TestKeep_SetsHowLongARunIsKept(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("GODAGS_KEY", "the key of these tests")
	for id, want := range map[string]time.Duration{"an-hour": time.Hour, "a-day": 24 * time.Hour} {
		report, err := run(t, simple.Pipeline(), godags.Redis(server.URL()), godags.RunID(id), godags.Keep(want))
		mustSucceed(t, report, err)
		s, err := journal.New(server.Client()).Summary(t.Context(), journal.RunID(id))
		if err != nil || s.Expires.Sub(s.Finished) != want {
			t.Errorf("%s is kept until %s, %s after its end, %v", id, s.Expires, s.Expires.Sub(s.Finished), err)
		}
	}
}

func TestGrace_LimitsAStageThatDoesNotStop(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("GODAGS_KEY", "the key of these tests")
	ctx, cancel := context.WithCancel(t.Context())
	stop := make(chan struct{})
	p := godags.New("stubborn")
	stubborn := p.Do("stubborn", func(context.Context) error {
		cancel()
		<-stop // whatever becomes of its context
		return nil
	})
	p.Do("clean up", func(context.Context) error { close(stop); return nil }, godags.Trigger(godags.AllDone)).After(stubborn)
	report, err := godags.Run(ctx, p, godags.Redis(server.URL()), godags.RunID("stubborn"), godags.Concurrency(2), godags.Grace(3*time.Millisecond))
	if report == nil || report.Stages.Cancelled != 1 || report.Stages.Succeeded != 1 {
		t.Fatalf("%+v %v", report, err)
	}
	entries, err := journal.New(server.Client()).Read(t.Context(), "stubborn", journal.Start, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, r := range e.Records {
			if r.Type == journal.StageCancelled && r.Text != "it did not stop within 3ms" {
				t.Errorf("it was cancelled because %q", r.Text)
			}
		}
	}
}
