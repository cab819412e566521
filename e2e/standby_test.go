package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// takeOver is how soon after the death of a coordinator another must go on with its run.
const takeOver = 5 * time.Second

// checkHeld finds out whether a run of held was executed to its end, each stage as often as the killed process made necessary.
func (w *world) checkHeld(id string, most int) {
	w.t.Helper()
	count, last := make(map[string]int), ""
	for _, e := range w.events(id) {
		if e.Type == "stage.started" {
			count[e.Stage]++
		}
		last = e.Type
	}
	for _, stage := range []string{"victim", "witness", "after"} {
		if n := count[stage]; n < 1 || n > most {
			w.t.Errorf("%s was started %d times", stage, n)
		}
	}
	if last != "run.finished" {
		w.t.Errorf("the last event is %s", last)
	}
}

func TestASecondRunOfTheSameIDGoesOnWhenTheFirstIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", strings.ReplaceAll(held, " && [ $GODAGS_ATTEMPT -gt 1 ]", ""))
	w.start("worker", "--concurrency", "2")
	one := w.start("coordinator", "run", "held.json", "--run-id", "held")
	w.awaitHeld()
	two := w.start("coordinator", "run", "held.json", "--run-id", "held")
	w.await("the second follows", func() bool { return strings.Contains(two.stderr(), "following it") })
	three := w.start("coordinator", "attach", "held")
	one.kill()
	killed := time.Now()
	w.await("the second goes on", func() bool { return strings.Contains(two.stderr(), "going on with it") })
	if took := time.Since(killed); took > takeOver {
		t.Errorf("taken over after %s", took)
	}
	w.write("go", "")
	w.ended(two, 0)
	w.ended(three, 0)
	w.checkHeld("held", 1)
}

// Here the first run's workers die with it, and the second has its own.
func TestASecondRunOnThePrivateRedisGoesOnWithWorkersOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("held.json", strings.ReplaceAll(held, " && [ $GODAGS_ATTEMPT -gt 1 ]", ""))
	one := w.start("coordinator", "run", "held.json", "--run-id", "held", "--cores", "2")
	w.awaitHeld()
	two := w.start("coordinator", "run", "held.json", "--run-id", "held", "--cores", "2")
	w.await("the second follows", func() bool { return strings.Contains(two.stderr(), "following it") })
	one.kill()
	w.await("attempt 2", func() bool { return w.exists("victim.2") && w.exists("witness.2") })
	w.write("go", "")
	w.ended(two, 0)
	w.checkHeld("held", 2)
}

func TestAttachSaysThatARunIsStalledAndGoesOnFollowing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", strings.ReplaceAll(held, " && [ $GODAGS_ATTEMPT -gt 1 ]", ""))
	w.start("worker", "--concurrency", "2")
	one := w.start("coordinator", "run", "held.json", "--run-id", "held")
	w.awaitHeld()
	attached := w.start("coordinator", "attach", "held")
	one.kill()
	w.await("word of the stall", func() bool { return strings.Contains(attached.stderr(), "`coordinator resume held` goes on with it") })
	w.start("coordinator", "resume", "held")
	w.await("who drives the run now", func() bool { return strings.Contains(attached.stderr(), "drives the run now") })
	w.write("go", "")
	w.ended(attached, 0)
}

// It comes back to a run that is not its own any more: nothing that it decides counts, and it follows.
func TestACoordinatorThatWasStoppedForTooLongFollowsItsSuccessor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", strings.ReplaceAll(held, " && [ $GODAGS_ATTEMPT -gt 1 ]", ""))
	w.start("worker", "--concurrency", "2")
	one := w.start("coordinator", "run", "held.json", "--run-id", "held")
	w.awaitHeld()
	two := w.start("coordinator", "run", "held.json", "--run-id", "held")
	w.await("the second follows", func() bool { return strings.Contains(two.stderr(), "following it") })
	if err := one.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.await("the second goes on", func() bool { return strings.Contains(two.stderr(), "going on with it") })
	if err := one.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.await("the first follows", func() bool { return strings.Contains(one.stderr(), "has taken over the run: following it") })
	w.write("go", "")
	w.ended(one, 0)
	w.ended(two, 0)
	w.checkHeld("held", 1)
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
	started := make(map[string]int)
	for _, e := range w.events("flow") {
		if e.Type == "stage.started" {
			started[e.Stage]++
		}
	}
	if started["good"] != 1 || started["bad"] != 2 || started["last"] != 1 {
		t.Errorf("started: %v", started)
	}
}
