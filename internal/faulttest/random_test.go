package faulttest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/godags/godags/internal/faulttest"
	"github.com/godags/godags/tasks"
)

// Random pipelines, with what makes bundles and chains and what breaks them: stages of a few kinds
// or of unknown ones that mostly take next to nothing, some that take much longer than their kind,
// and some that fail. First without a fault, then with some in random commands.
func TestWhateverIsBundledBreaksNothing(t *testing.T) {
	t.Parallel()
	for i := range uint64(12) {
		seed := seed(t) + i
		t.Run(fmt.Sprint("GODAGS_TEST_SEED=", seed), func(t *testing.T) {
			t.Parallel()
			base, _ := simulate(t, seed, point{}, none, random(seed))
			r := rand.New(rand.NewPCG(seed, 1))
			for range 8 {
				p, f := base.points[r.IntN(len(base.points))], fault(1+r.IntN(len(faults)))
				t.Logf("%s %s", p, faults[f])
				simulate(t, seed, p, f, random(seed))
			}
		})
	}
}

// random makes the world's run one of a pipeline that follows from the seed.
func random(seed uint64) func(*world) {
	r := rand.New(rand.NewPCG(seed, 2))
	n, kinds := 20+r.IntN(60), 1+r.IntN(3)
	unknown := r.IntN(3) == 0
	stages, takes, fails, kind := make([]faulttest.Stage, n), make(map[string]time.Duration), make(map[string]bool), make(map[string]int)
	for i := range stages {
		s := &stages[i]
		s.Name = fmt.Sprint("s", i)
		switch r.IntN(8) {
		case 0: // any time after the first
			s.After = []string{"s0"}
		case 1: // a join
			s.After = []string{fmt.Sprint("s", r.IntN(max(1, i))), fmt.Sprint("s", max(0, i-1))}
		default: // a chain
			s.After = []string{fmt.Sprint("s", max(0, i-1))}
		}
		if i == 0 {
			s.After = nil
		} else if len(s.After) == 2 && s.After[0] == s.After[1] {
			s.After = s.After[:1]
		}
		takes[s.Name] = []time.Duration{0, 0, 0, 0, 10 * time.Microsecond, 10 * time.Microsecond, 100 * time.Microsecond, time.Millisecond,
			8 * time.Millisecond, 40 * time.Millisecond, 300 * time.Millisecond}[max(0, r.IntN(14)-3)]
		fails[s.Name] = r.IntN(40) == 0
		kind[s.Name] = r.IntN(kinds)
		if unknown {
			kind[s.Name] = i
		}
	}
	return func(w *world) {
		w.stages, w.bound = stages, time.Minute
		w.kind = func(name string) int { return kind[name] }
		w.do = func(_ *world, ctx context.Context, s *tasks.Stage) error {
			if err := sleep(ctx, takes[s.Name]); err != nil {
				return err
			}
			if fails[s.Name] {
				return errors.New("it fails")
			}
			return nil
		}
	}
}
