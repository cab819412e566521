package runstate

import (
	"testing"
	"time"
)

func TestStageTimes_KeepsOrderAndDurationOfAStage(t *testing.T) {
	const s = 5 // an instance: its id is not in the graph
	times := newStageTimes(2)
	expect := func(when string, began, ended uint32, last, total time.Duration) {
		t.Helper()
		if b, e := times.began(s), times.ended(s); b != began || e != ended {
			t.Errorf("%s: began with record %d and ended with %d, want %d and %d", when, b, e, began, ended)
		}
		if l, all := times.last(s), times.total(s); l != last || all != total {
			t.Errorf("%s: last %s, total %s, want %s and %s", when, l, all, last, total)
		}
	}
	expect("before its first record", 0, 0, 0, 0)

	times.begin(s, 3)
	expect("started", 0, 0, 0, 0)

	times.addEarlier(s, time.Second)
	times.begin(s, 5)
	times.end(s, 7, 2*time.Second)
	expect("ended by its second attempt", 3, 7, 2*time.Second, 3*time.Second)

	times.reset(s)
	expect("reopened", 0, 0, 0, 0)

	times.end(s, 9, 0)
	expect("skipped", 9, 9, 0, 0)
}

// A display takes a stage without a duration for one that was not executed.
func TestStageTimes_RoundsNoDurationToZero(t *testing.T) {
	times := newStageTimes(1)
	for took, want := range map[time.Duration]time.Duration{
		1:               tick,
		tick + 1:        tick,
		20 * time.Hour:  (1<<32 - 1) * tick,
		3 * time.Second: 3 * time.Second,
		0:               0,
	} {
		times.reset(0)
		times.end(0, 1, took)
		if got := times.last(0); got != want {
			t.Errorf("%s is kept as %s, want %s", took, got, want)
		}
	}
}
