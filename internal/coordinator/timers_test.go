package coordinator

import (
	"container/heap"
	"testing"
	"time"
)

// A failure is recorded while the clock of Redis is an hour ahead. When the clock is right again,
// the stage waits for its back-off, and the run for its limit, not for an hour.
func TestTimers_WaitNoLongerThanTheirFullWait(t *testing.T) {
	now := time.Unix(1e9, 0)
	tm := &timers{limit: now.Add(time.Hour + time.Minute), whole: time.Minute}
	heap.Push(tm, pause{until: now.Add(time.Hour + 5*time.Second), wait: 5 * time.Second, stage: 1})
	heap.Push(tm, pause{until: now.Add(2 * time.Second), wait: 10 * time.Second, stage: 2})

	tm.learn(now, 0)
	if got, want := tm.pending[0], (pause{until: now.Add(2 * time.Second), wait: 10 * time.Second, stage: 2}); got != want {
		t.Errorf("first is %+v, want %+v", got, want)
	}
	if got := tm.pending[1].until.Sub(now); got != 5*time.Second {
		t.Errorf("the other is due in %s, want 5s", got)
	}
	if got := tm.limit.Sub(now); got != time.Minute {
		t.Errorf("the limit is due in %s, want 1m", got)
	}
}

// The clock of Redis is an hour ahead for two seconds: nothing is due because of that. It is set
// back for good: that counts at once. It is set forward for good: that counts after ten seconds.
func TestTimers_BelieveNoClockThatIsAheadForAMoment(t *testing.T) {
	now := time.Unix(1e9, 0)
	tm := new(timers)
	expect := func(when string, want time.Duration) {
		t.Helper()
		if tm.ahead != want {
			t.Errorf("%s: the clock is taken to be %s ahead, want %s", when, tm.ahead, want)
		}
	}

	tm.learn(now, time.Millisecond)
	for range 4 {
		tm.learn(now, time.Hour)
	}
	expect("ahead for two seconds", time.Millisecond)
	tm.learn(now, -time.Hour)
	expect("set back", -time.Hour)
	for range offsetsKept {
		tm.learn(now, time.Second)
	}
	expect("set forward for good", time.Second)
}
