package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
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

// checkOrder finds stages that were not executed exactly once, or before something that they come after had succeeded.
func checkOrder(t *testing.T, f file, events []event) {
	t.Helper()
	deps := make(map[string][]string)
	for _, s := range f.Stages {
		deps[s.Name] = s.After
	}
	started, succeeded := make(map[string]int), make(map[string]int)
	for _, e := range events {
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
	if len(byWorker) < 2 { // it is over in a fifth of a second, for which a busy machine may leave a worker out
		t.Errorf("one worker had everything to do: %v", byWorker)
	}
	t.Logf("2,000 stages in %s: %v", events[len(events)-1].Time.Sub(events[0].Time), byWorker)
}

// chains returns two chains of alternating slow and fast stages: where one is slow the other is fast.
func chains(length int) file {
	var f file
	for c, name := range []string{"a", "b"} {
		for i := range length {
			s := stage{Name: fmt.Sprintf("%s%d", name, i), Task: "sleep", Params: map[string]any{"duration": "10ms"}}
			if i%2 == c {
				s.Params["duration"] = "200ms"
			}
			if i > 0 {
				s.After = []string{fmt.Sprintf("%s%d", name, i-1)}
			}
			f.Stages = append(f.Stages, s)
		}
	}
	return f
}

// Who waits for a whole level before it starts the next never executes slow stages of both chains at the same time: each level has one
// slow stage. Who waits for dependencies only does so nearly always.
func TestNoStageWaitsForAnotherChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	f := chains(10)
	w.write("chains.json", f)
	w.ended(w.start("coordinator", "run", "chains.json", "--run-id", "chains", "--progress", "quiet", "--workers", "2"), 0)
	events := w.events("chains")
	checkOrder(t, f, events)
	slow := make(map[byte]string) // by chain: the slow stage that it executes
	together := 0
	for _, e := range events {
		if e.Stage == "" || (e.Stage[0] == 'a') == (e.Stage[1]%2 == 1) {
			continue // it is a fast one
		}
		chain, other := e.Stage[0], 'a'+'b'-e.Stage[0]
		switch {
		case e.Type == "stage.succeeded":
			delete(slow, chain)
		case slow[other] != "":
			together++
			fallthrough
		default:
			slow[chain] = e.Stage
		}
	}
	if together < 3 {
		t.Errorf("slow stages of both chains were executed at the same time %d times only: stages wait for what they do not depend on", together)
	}
	took := events[len(events)-1].Time.Sub(events[0].Time)
	t.Logf("both chains took %s, slow stages met %d times (level by level: at least 2s, never)", took.Round(time.Millisecond), together)
}
