package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/godags/godags/internal/guard"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// large returns an output that is too large for the journal, even compressed.
func large() []byte {
	value := append([]byte("raw\n"), make([]byte, 2*values.MaxInline)...)
	for i := range value[4:] {
		value[4+i] = byte(rand.Uint32())
	}
	return value
}

// stored returns the keys of values in Redis.
func (w *world) stored() []string { return w.client.Keys(w.Context(), "godags:{r}:val*").Val() }

// The attempt was replaced while its worker was unreachable or stopped, so no run needs its values.
func TestAttempt_LeavesNoValueOnceItWasReplaced(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		if s.Name == "x" {
			return s.Values.Put(ctx, "k", []byte("raw\n1"))
		}
		w.must(w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.Revoke, Record: journal.Record{Type: journal.StageLost, Attempt: 1}}}))
		s.Values.SetOutput(large())
		return nil
	}, func(w *world) {
		w.send("1", "s", 1)
		w.send("2", "x", 1)
		w.tells("s started, s lost, x started, x succeeded")
		if keys := w.stored(); len(keys) != 2 { // the value of x, and the list of names
			w.Errorf("stored: %q", keys)
		}
	})
}

func TestAttempt_ChangesNoValueByKeyOnceItWasReplaced(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		w.must(s.Values.Put(ctx, s.Name, []byte("raw\n1")))
		before := w.client.Get(w.Context(), "godags:{r}:val:key/"+s.Name).Val()
		id, _ := w.spec.Graph.Lookup(s.Name)
		w.must(w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.Revoke, Record: journal.Record{Type: journal.StageLost, Stage: id, Attempt: 1}}}))

		var err error
		if s.Name == "x" {
			err = s.Values.Delete(ctx, s.Name)
		} else {
			err = s.Values.Put(ctx, s.Name, []byte("raw\n2"))
		}
		if !errors.Is(err, guard.ErrRefused) || ctx.Err() == nil {
			w.Errorf("%s: %v, the attempt is stopped: %v", s.Name, err, ctx.Err())
		}
		if after := w.client.Get(w.Context(), "godags:{r}:val:key/"+s.Name).Val(); after != before || before == "" {
			w.Errorf("%s: the value was %q and is %q", s.Name, before, after)
		}
		return nil
	}, func(w *world) {
		w.send("1", "s", 1)
		w.send("2", "x", 1)
		w.tells("s started, s lost, x started, x lost")
	})
}

// The second stage of a chain stores values before it is claimed: the claim of the first gives the
// right to that.
func TestChain_StoresValuesBeforeTheClaim(t *testing.T) {
	simulate(t, func(_ *world, ctx context.Context, s *tasks.Stage) error {
		s.Values.SetOutput(large())
		return s.Values.Put(ctx, s.Name, []byte("raw\n1"))
	}, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.sendBatch("2", 1, "x", "after x")
		w.tells("s started, s succeeded, x started, x succeeded, after x started, after x succeeded")
		if keys := w.stored(); len(keys) != 7 { // two of each stage, and the list of names
			w.Errorf("stored: %q", keys)
		}
	})
}
