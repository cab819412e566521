package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// seed returns the seed of a random test, which can be given again as GODAGS_TEST_SEED.
func seed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("GODAGS_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("GODAGS_TEST_SEED=%d", seed)
	return seed
}

// randomDAG returns n stages that do nothing, each after up to four others, in random order.
func randomDAG(n int, random *rand.Rand) file {
	stages := make([]stage, n)
	for i := range stages {
		stages[i] = stage{Name: fmt.Sprintf("s%d", i), Task: "noop"}
		chosen := make(map[int]bool)
		for range random.IntN(5) {
			if i > 0 {
				chosen[i-1-random.IntN(min(i, 100))] = true
			}
		}
		for dep := range n { // in order, so that a seed always gives the same file
			if chosen[dep] {
				stages[i].After = append(stages[i].After, stages[dep].Name)
			}
		}
	}
	random.Shuffle(n, func(i, j int) { stages[i], stages[j] = stages[j], stages[i] })
	return file{stages}
}

// checkOrder finds stages that were not executed exactly once, or before something that they come
// after had succeeded.
func checkOrder(t *testing.T, f file, events []event) {
	t.Helper()
	deps := make(map[string][]string)
	for _, s := range f.Stages {
		deps[s.Name] = s.After
	}
	started, succeeded := make(map[string]int), make(map[string]int)
	for _, e := range events {
		// its worker was held up by another stage
		if e.Type == "stage.lost" && strings.HasPrefix(e.Reason, "not begun: ") {
			started[e.Stage]--
			continue
		}
		switch e.Type {
		case "stage.started":
			started[e.Stage]++
			for _, dep := range deps[e.Stage] {
				if succeeded[dep] == 0 {
					t.Errorf("event %d: %s is started before %s, which it comes after, has succeeded", e.Seq, e.Stage, dep)
				}
			}
		case "stage.succeeded":
			succeeded[e.Stage]++
		case "run.submitted", "run.finished":
		default:
			t.Errorf("unexpected event %+v", e)
		}
	}
	for _, s := range f.Stages {
		if started[s.Name] != 1 || succeeded[s.Name] != 1 {
			t.Errorf("%s was started %d times and succeeded %d times", s.Name, started[s.Name], succeeded[s.Name])
		}
	}
}

func TestTwoThousandStagesOnFourWorkersAreExecutedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	f := randomDAG(2000, rand.New(rand.NewPCG(seed(t), 0)))
	w.write("random.json", f)
	for i := range 4 {
		w.start("worker", "--name", fmt.Sprintf("w%d", i))
	}
	w.await("4 workers", func() bool { return len(w.workerPIDs()) == 4 })
	w.ended(w.start("coordinator", "run", "random.json", "--run-id", "random", "--progress", "quiet"), 0)
	events := w.events("random")
	checkOrder(t, f, events)
	byWorker := make(map[string]int)
	for _, e := range events {
		if e.Type == "stage.succeeded" {
			byWorker[e.Worker]++
		}
	}
	// it is over in a fifth of a second, for which a busy machine may leave a worker out
	if len(byWorker) < 2 {
		t.Errorf("one worker had everything to do: %v", byWorker)
	}
	t.Logf("2,000 stages in %s: %v", events[len(events)-1].Time.Sub(events[0].Time), byWorker)
}

// Who waits for a whole level before it starts the next never comes to the end of these: a0 waits
// for the last stage before b5, and b5 for the last one of the other chain.
const chains = `{"stages": [
	{"name": "a0", "run": "until [ -e b4 ]; do sleep 0.05; done"},
	{"name": "a1", "after": "a0", "task": "noop"},
	{"name": "a2", "after": "a1", "task": "noop"},
	{"name": "a3", "after": "a2", "run": "touch a3"},
	{"name": "b0", "run": "true"},
	{"name": "b1", "after": "b0", "task": "noop"},
	{"name": "b2", "after": "b1", "run": "true"},
	{"name": "b3", "after": "b2", "task": "noop"},
	{"name": "b4", "after": "b3", "run": "touch b4"},
	{"name": "b5", "after": "b4", "run": "until [ -e a3 ]; do sleep 0.05; done"},
	{"name": "b6", "after": "b5", "run": "true"}
]}`

func TestNoStageWaitsForAnotherChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("chains.json", chains)
	w.ended(w.start("coordinator", "run", "chains.json", "--run-id", "chains", "--progress", "quiet", "--workers", "2"), 0)
}
