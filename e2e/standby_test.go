package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// tellTakeOver tells how long after the death of a coordinator another went on with its run.
func tellTakeOver(t *testing.T, killed time.Time) {
	t.Attr("recovery", fmt.Sprintf("a coordinator that was killed is replaced after %s (promised: 5s)", time.Since(killed).Round(time.Millisecond)))
}

func TestASecondRunOfTheSameIDGoesOnWhenTheFirstIsKilled(t *testing.T) {
	t.Parallel()
	w := newHeldWorld(t)
	one := w.runHeld()
	two := w.runHeld()
	w.says(two, "following it")
	three := w.start("coordinator", "attach", "held")
	one.kill()
	killed := time.Now()
	w.says(two, "resuming the run here")
	tellTakeOver(t, killed)
	w.endHeld(1, two, three)
}

// Here the first run's workers die with it, and the second has its own.
func TestASecondRunOnThePrivateRedisGoesOnWithWorkersOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("held.json", patient)
	one := w.runHeld("--concurrency", "2")
	two := w.runHeld("--concurrency", "2")
	w.says(two, "following it")
	one.kill()
	w.await("attempt 2", func() bool { return w.exists("victim.2") && w.exists("witness.2") })
	w.endHeld(2, two)
}

func TestAttachSaysThatARunIsStalledAndGoesOnFollowing(t *testing.T) {
	t.Parallel()
	w := newHeldWorld(t)
	one := w.runHeld()
	attached := w.start("coordinator", "attach", "held")
	one.kill()
	w.says(attached, "resume the run with `coordinator resume held`")
	w.start("coordinator", "resume", "held")
	w.says(attached, "drives the run now")
	w.endHeld(1, attached)
}

// It comes back to a run that is not its own any more: nothing that it decides counts, and it
// follows.
func TestACoordinatorThatWasStoppedForTooLongFollowsItsSuccessor(t *testing.T) {
	t.Parallel()
	w := newHeldWorld(t)
	one := w.runHeld()
	two := w.runHeld()
	w.says(two, "following it")
	w.signal(one, syscall.SIGSTOP)
	w.says(two, "resuming the run here")
	w.signal(one, syscall.SIGCONT)
	w.says(one, "has taken over the run: following it")
	w.endHeld(1, one, two)
}

func TestARetryWhoseCoordinatorIsKilledIsGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("flow.json", `{"stages": [
		{"name": "good", "run": "true"},
		{"name": "bad", "after": "good", "run": "[ -e fixed ] && touch running.$GODAGS_ATTEMPT && until [ -e go ]; do sleep 0.05; done"},
		{"name": "last", "after": "bad", "run": "[ -e fixed ]"}
	]}`)
	w.start("worker")
	w.ended(w.start("coordinator", "run", "flow.json", "--run-id", "flow"), 1)
	w.write("fixed", "")
	retry := w.start("coordinator", "retry", "flow")
	w.await("the second attempt", func() bool { return w.exists("running.2") })
	retry.kill()
	serve := w.start("coordinator", "serve")
	w.await("the run is adopted", func() bool { return adoptions("flow", serve) == 1 })
	w.write("go", "")
	w.ended(w.start("coordinator", "attach", "flow"), 0)
	if started := w.starts("flow"); started["good"] != 1 || started["bad"] != 2 || started["last"] != 1 {
		t.Errorf("started: %v", started)
	}
}
