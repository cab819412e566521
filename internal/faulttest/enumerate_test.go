package faulttest_test

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// seed returns GODAGS_TEST_SEED, or 1: the order in which commands reach Redis follows from it.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("GODAGS_TEST_SEED")
	if text == "" {
		return 1
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func TestWithoutFaultsEveryStageIsExecutedOnce(t *testing.T) {
	t.Parallel()
	for i := range uint64(20) {
		simulate(t, seed(t)+i, point{}, none)
	}
}

// tries is how many orders are tried for a command that not every order has. What is decided
// between two goroutines that can both go on does not follow from the seed: most of all, which of
// them gets a new connection.
const tries = 100

// Of all commands that the coordinator and the workers send in a run of ten stages, each fails in
// every way that there is.
func TestAFaultInAnyCommandBreaksNothing(t *testing.T) {
	t.Parallel()
	seed := seed(t)
	base, _ := simulate(t, seed, point{}, none)
	e := &enumeration{seed: seed, points: base.points}
	t.Run("all", func(t *testing.T) {
		for f, what := range faults {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				e.all(t, f)
			})
		}
	})
	t.Attr("enumeration", fmt.Sprintf("%d commands, %d faults each: %d faults in %d runs, the longest took %s of simulated time; seed %d",
		len(e.points), len(faults), e.faults, e.runs, e.longest, seed))
}

type enumeration struct {
	seed   uint64
	points []point

	mu           sync.Mutex
	runs, faults int
	longest      time.Duration
}

// all gives a fault to every command: to every few of them where that takes too long.
func (e *enumeration) all(t *testing.T, f fault) {
	for i := int(e.seed+uint64(f)) % oneOf; i < len(e.points); i += oneOf {
		if !e.one(t, e.points[i], f) {
			t.Errorf("seed %d: %s was not sent in %d runs", e.seed, e.points[i], tries)
		}
	}
}

// one runs the stages until a command has met a fault.
func (e *enumeration) one(t *testing.T, p point, f fault) (fired bool) {
	for i := uint64(0); i < tries && !fired; i++ {
		g, took := simulate(t, e.seed+i, p, f)
		if t.Failed() {
			t.Fatalf("seed %d: %s %s", e.seed+i, p, faults[f])
		}
		fired = g.fired
		e.mu.Lock()
		e.runs++
		e.longest = max(e.longest, took)
		if fired {
			e.faults++
		}
		e.mu.Unlock()
	}
	return fired
}

// The clock of Redis jumps while all others go on as before: what counts as late must not follow
// from the difference of two clocks.
func TestAJumpOfTheClockKillsNobody(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{5 * time.Minute, -5 * time.Minute} {
		for after := 20; after < 160; after += 20 {
			seed := seed(t) + uint64(after) // each in another order
			simulate(t, seed, point{}, none, func(w *world) {
				w.bound = 0
				w.gate.before = func() {
					now := time.Now()
					if len(w.gate.points) >= after {
						now = now.Add(jump)
					}
					w.mini.SetTime(now)
				}
			})
			if t.Failed() {
				t.Fatalf("seed %d: a jump of %s after %d commands", seed, jump, after)
			}
		}
	}
}
