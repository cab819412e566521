package runs

import (
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
)

// A caller that forgets its conditions must not lose every run.
func TestPrune_RefusesAFilterThatSelectsEveryRun(t *testing.T) {
	for _, f := range []Filter{{}, {Limit: 3}} {
		removed, err := new(Service).Prune(t.Context(), f, false)
		if err == nil || !strings.Contains(err.Error(), "selects every run") || removed != nil {
			t.Errorf("%+v removes %v, %v; want an error", f, removed, err)
		}
	}
}

func TestFilter_RemovesNoRunOfACoordinator(t *testing.T) {
	age := time.Duration(0)
	f := Filter{Age: &age}
	now := time.Unix(1e9, 0)
	for _, test := range []struct {
		state    string
		finished time.Time
		want     journal.Condition
	}{
		{"succeeded", now, journal.WhenEnded},
		{"stalled", time.Time{}, journal.WhenIdle},
		{"queued", time.Time{}, journal.WhenIdle},
		{"damaged", time.Time{}, journal.WhenIdle},
		{"running", time.Time{}, ""},
		{"cancelling", time.Time{}, ""},
	} {
		r := journal.Summary{State: test.state, Submitted: now, Finished: test.finished, Asked: now.Add(time.Hour)}
		if got := f.removable(r); got != test.want {
			t.Errorf("%s: %q, want %q", test.state, got, test.want)
		}
	}
}
