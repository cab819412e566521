package journal_test

import (
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
)

// ownership returns who owns the run of the fixture.
func (f *fixture) ownership() journal.Ownership {
	f.t.Helper()
	ownerships, err := f.Ownerships(f.t.Context(), run, "nobody-knows-it")
	if err != nil || len(ownerships) != 2 || !ownerships[1].Gone || ownerships[0].Gone {
		f.t.Fatalf("%+v, %v", ownerships, err)
	}
	return ownerships[0]
}

func TestRelease_LetsAnotherAcquireAtOnce(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		if l := f.ownership(); l.Coordinator != "ann" || l.Left < lease/2 || l.Finished {
			f.t.Errorf("%+v", l)
		}
		if err := f.Release(ctx, run, "bob", f.epoch); err != nil || f.ownership().Left <= 0 {
			f.t.Errorf("somebody else gave the run up: %v", err)
		}
		if err := f.Release(ctx, run, "ann", f.epoch); err != nil || f.ownership().Left > 0 {
			f.t.Errorf("the run was not given up: %v", err)
		}
		epoch, err := f.Acquire(ctx, run, "bob", time.Minute)
		if err != nil || epoch != f.epoch+1 {
			f.t.Fatalf("epoch %d, %v", epoch, err)
		}
		if err := f.Release(ctx, run, "ann", f.epoch); err != nil || f.ownership().Left <= 0 {
			f.t.Errorf("a coordinator of an old epoch gave the run up: %v", err)
		}
	})
}

func TestPosition_ComparesByNumber(t *testing.T) {
	for _, test := range []struct {
		a, b journal.Position
		want bool
	}{{"10-0", "9-5", true}, {"9-5", "10-0", false}, {"9-10", "9-9", true}, {"9-9", "9-9", false}, {"9-0", journal.Start, true}} {
		if got := test.a.After(test.b); got != test.want {
			t.Errorf("%s after %s: %v", test.a, test.b, got)
		}
	}
}
