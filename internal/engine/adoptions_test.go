package engine

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/version"
)

// noon is when these tests begin.
var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func TestAdoptions_TakeEachRunOnceUpToTheLimit(t *testing.T) {
	a := newAdoptions(2)
	for _, step := range []struct {
		run  journal.RunID
		want bool
	}{{"a", true}, {"a", false}, {"b", true}, {"c", false}} {
		if got := a.take(step.run, noon); got != step.want {
			t.Errorf("take(%s): got %v, want %v", step.run, got, step.want)
		}
	}

	a.drop("a", finished, noon)
	if !a.take("c", noon) {
		t.Error("a finished run still counts")
	}
}

func TestAdoptions_RetryLaterAndLater(t *testing.T) {
	a := newAdoptions(1)
	now := noon
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if !a.take("r", now) {
			t.Fatalf("the run cannot be taken after %s", now.Sub(noon))
		}
		delay := a.drop("r", retryable, now)
		if delay != want*time.Second {
			t.Errorf("got a delay of %s, want %d s", delay, want)
		}
		if a.take("r", now.Add(delay-1)) {
			t.Fatalf("the run is taken before the delay of %s is over", delay)
		}
		now = now.Add(delay)
	}

	// A success, and the end of the run, forget the failures.
	a.take("r", now)
	a.drop("r", finished, now)
	a.take("r", now)
	if delay := a.drop("r", retryable, now); delay != time.Second {
		t.Errorf("got a delay of %s after a success, want 1 s", delay)
	}
	a.reconsider(nil, nil)
	if !a.take("r", now) {
		t.Error("a run with the ID of one that is gone has to wait")
	}
}

// An abandoned run may be resumed by a process that dies, or removed and its ID used again.
func TestAdoptions_ReconsiderAbandonedRuns(t *testing.T) {
	a := newAdoptions(9)
	runs := []journal.RunID{"alone", "resumed", "removed"}
	taken := func() (list []journal.RunID) {
		for _, run := range runs {
			if a.take(run, noon) {
				a.drop(run, released, noon)
				list = append(list, run)
			}
		}
		return list
	}

	for _, run := range runs {
		a.drop(run, hopeless, noon)
	}
	if got := taken(); len(got) > 0 {
		t.Fatalf("abandoned runs are taken: %q", got)
	}

	before := a.abandonedRuns()
	a.drop("later", hopeless, noon) // it is not in the list that was requested before
	a.reconsider(before, []journal.Ownership{{Run: "alone"}, {Run: "resumed", Left: time.Second}})
	if got, want := taken(), []journal.RunID{"resumed", "removed"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if a.take("later", noon) {
		t.Error("a run is reconsidered by a list from before it was abandoned")
	}
}

func TestEndingOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want ending
	}{
		{nil, finished},
		{journal.ErrFenced, released},
		{journal.ErrNotFound, released},
		{ErrHandOver, released},
		{journal.ErrDamaged, hopeless},
		{journal.ErrDigest, hopeless},
		{sign.ErrSignature, hopeless},
		{ErrSharedMemory, hopeless},
		{coordinator.ErrNoWorker, hopeless},
		{version.ErrNewer, hopeless},
		{errors.New("i/o timeout"), retryable},
	} {
		if got := endingOf(test.err); got != test.want {
			t.Errorf("%v: got %d, want %d", test.err, got, test.want)
		}
		if test.err == nil {
			continue
		}
		if got := endingOf(fmt.Errorf("run r: %w", test.err)); got != test.want {
			t.Errorf("%v, wrapped: got %d, want %d", test.err, got, test.want)
		}
	}
}
