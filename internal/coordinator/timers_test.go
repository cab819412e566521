package coordinator

import (
	"slices"
	"testing"
	"time"

	"github.com/godags/godags/dag"
)

// A failure is recorded while the clock of Redis is an hour ahead. When the clock is right again,
// the stage waits for its back-off, and the run for its limit, not for an hour.
func TestTimers_WaitNoLongerThanTheirFullWait(t *testing.T) {
	now := time.Unix(1e9, 0)
	tm := newTimers(pipeline(t, "a; b; c"))
	tm.setLimit(now.Add(time.Hour), time.Minute)
	tm.pause(1, 2, now.Add(time.Hour), 5*time.Second)
	tm.pause(2, 2, now.Add(-8*time.Second), 10*time.Second)

	tm.learn(now, 0)
	for _, step := range []struct {
		after time.Duration
		due   []dag.StageID
		limit bool
	}{{2*time.Second - 1, nil, false}, {2 * time.Second, []dag.StageID{2}, false}, {5*time.Second - 1, nil, false},
		{5 * time.Second, []dag.StageID{1}, false}, {time.Minute - 1, nil, false}, {time.Minute, nil, true}} {
		due, limit := tm.fire(now.Add(step.after))
		if !slices.Equal(due, step.due) || limit != step.limit {
			t.Errorf("after %s: stages %v are due, limit %v; want %v, %v", step.after, due, limit, step.due, step.limit)
		}
	}
	if _, ok := tm.nextFire(); ok {
		t.Error("a timer is left")
	}
}

// The clock of Redis is an hour ahead for two seconds: nothing is due because of that. It is set
// back for good: that counts at once. It is set forward for good: that counts after ten seconds.
func TestTimers_BelieveNoClockThatIsAheadForAMoment(t *testing.T) {
	now := time.Unix(1e9, 0)
	tm := newTimers(pipeline(t, "a"))
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

func TestTimers_FireAtTheirTimeByTheClockOfRedis(t *testing.T) {
	now := time.Unix(1e9, 0)
	tm := newTimers(pipeline(t, "a; b"))
	if tm.needed() {
		t.Error("the clock of Redis is needed before there is a pause")
	}
	tm.learn(now, time.Minute)
	tm.pause(1, 3, now.Add(time.Minute), 4*time.Second)
	if at, ok := tm.nextFire(); !ok || !at.Equal(now.Add(4*time.Second)) {
		t.Errorf("next is %v, %v; want %v by our clock", at, ok, now.Add(4*time.Second))
	}
	if !tm.needed() || !tm.pausing(1, 3) || tm.pausing(1, 2) || tm.pausing(0, 3) {
		t.Error("the pause is of another attempt or stage")
	}
	if due, _ := tm.fire(now.Add(4 * time.Second)); !slices.Equal(due, []dag.StageID{1}) || tm.pausing(1, 3) {
		t.Errorf("due: %v, still pausing: %v; want stage 1", due, tm.pausing(1, 3))
	}
}

// A stage is lost again during a pause, and gets a longer one.
func TestTimers_ForgetThePauseOfAnEarlierAttempt(t *testing.T) {
	now := time.Unix(1e9, 0)
	tm := newTimers(pipeline(t, "a"))
	tm.pause(0, 2, now, time.Second)
	tm.pause(0, 3, now, time.Minute)
	if due, _ := tm.fire(now.Add(time.Second)); len(due) != 0 {
		t.Errorf("stage %v is due with the pause of attempt 2", due)
	}
	if due, _ := tm.fire(now.Add(time.Minute)); len(due) != 1 {
		t.Errorf("after the pause of attempt 3: %v is due", due)
	}
}
