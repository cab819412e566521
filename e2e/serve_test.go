package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godags/godags/internal/redistest"
)

// adoptions counts how often coordinators have adopted a run.
func adoptions(run string, coordinators ...*process) (n int) {
	for _, c := range coordinators {
		n += strings.Count(c.stderr(), fmt.Sprintf("msg=\"run adopted\" run=%s ", run))
	}
	return n
}

func TestOfTwoServingCoordinatorsTheSecondGoesOnWhenTheFirstIsKilled(t *testing.T) {
	t.Parallel()
	w := newHeldWorld(t)
	one := w.start("coordinator", "serve", "--name", "one")
	w.coordinator("run", "held.json", "--run-id", "held", "--detach")
	w.awaitHeld()
	two := w.start("coordinator", "serve", "--name", "two")
	w.says(two, "coordinator serves")
	if adoptions("held", two) > 0 {
		t.Fatal("the second has adopted a run that the first drives")
	}
	one.kill()
	killed := time.Now()
	w.says(two, "run adopted")
	tellTakeOver(t, killed)
	w.endHeld(1, w.start("coordinator", "attach", "held"))
}

func TestAKilledRunIsAdoptedByTheServingCoordinator(t *testing.T) {
	t.Parallel()
	w := newHeldWorld(t)
	serve := w.start("coordinator", "serve")
	run := w.runHeld()
	run.kill()
	w.says(serve, "run adopted")
	w.endHeld(1, w.start("coordinator", "attach", "held"))
}

// Six runs, two coordinators of which one is stopped in order and one is killed meanwhile.
func TestManyRunsAreEachDrivenByOneCoordinatorAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("steps.json", `{"stages": [{"name": "a", "run": "sleep 0.5"}, {"name": "b", "after": "a", "run": "sleep 0.5"}, {"name": "c", "after": "b", "run": "sleep 0.5"}]}`)
	w.start("worker", "--concurrency", "4")
	one := w.start("coordinator", "serve", "--name", "one")
	two := w.start("coordinator", "serve", "--name", "two")
	for i := range 6 {
		w.coordinator("run", "steps.json", "--run-id", fmt.Sprint("run-", i), "--detach")
	}
	w.awaitEvent("run-0", "stage.started", "a")
	three := w.start("coordinator", "serve", "--name", "three")
	two.Process.Signal(syscall.SIGTERM)
	w.ended(two, 0)
	one.kill()
	for i := range 6 {
		id := fmt.Sprint("run-", i)
		w.ended(w.start("coordinator", "attach", id), 0)
		for _, e := range w.events(id) {
			if e.Attempt > 1 {
				t.Errorf("%s: %+v: no worker was harmed", id, e)
			}
		}
		if n := adoptions(id, one, two, three); n < 1 || n > 3 {
			t.Errorf("%s was adopted %d times", id, n)
		}
	}
}

func TestADamagedRunIsReportedOnceAndLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := redistest.Start(t)
	w.set("REDIS_URL", server.URL())
	w.write("one.json", `{"stages": [{"name": "a", "run": "true"}]}`)
	w.coordinator("run", "one.json", "--run-id", "bad-spec", "--detach")
	w.coordinator("run", "one.json", "--run-id", "bad-journal", "--detach")
	w.coordinator("run", "one.json", "--run-id", "bad-signature", "--detach")
	rdb := server.Client()
	if err := rdb.SetRange(t.Context(), "godags:{bad-spec}:spec", 10, "\xff\xff\xff").Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Do(t.Context(), "XADD", "godags:{bad-journal}:journal", "*", "w", "", "r", "\xfe\xfe").Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.HSet(t.Context(), "godags:{bad-signature}:run", "signature", "nonsense").Err(); err != nil {
		t.Fatal(err)
	}
	w.start("worker")
	serve := w.start("coordinator", "serve")
	w.await("all are reported", func() bool { return strings.Count(serve.stderr(), "run abandoned") == 3 })
	w.coordinator("run", "one.json", "--run-id", "good", "--detach")
	w.ended(w.start("coordinator", "attach", "good"), 0)
	if n := strings.Count(serve.stderr(), "run abandoned"); n != 3 {
		t.Errorf("reported %d times", n)
	}
}
