package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// partsOfCells is recorded for two cells of which the second has an output.
const partsOfCells = `{"count":2,"attempts":"AQA="}`

// gatherCell executes one of the cells, with an output, and the stage that gathers them.
func (w *world) gatherCell(want string) {
	w.Helper()
	w.send("t", "cell 1", 1)
	w.expect("started succeeded")
	w.items("u", queue.Item{Stage: w.id("cells"), Attempt: 1, Deps: succeeded(0, 1)})
	w.expect("started succeeded started succeeded")
	if got := w.outputs(w.id("cells"))[0]; got != want {
		w.Errorf("gathered %.100q, want %.100q", got, want)
	}
}

// writing is a cell that has an output, and the stage "reader", which reads what was gathered.
func writing(output string, read func(value []byte, err error) error) handler {
	return func(_ *world, ctx context.Context, s *tasks.Stage) error {
		if s.Name == "reader" {
			return read(s.Values.Output(ctx, "cells"))
		}
		s.Values.SetOutput([]byte(output))
		return nil
	}
}

func TestGather_OutputsThatAreNotJSONAreParts(t *testing.T) {
	fails := func(_ []byte, err error) error { return err }
	for _, output := range []string{"raw\n\xff", "raw\n\"\xff\"", "json\n\"\xff\"", "gob\n[]"} {
		simulate(t, writing(output, fails), func(w *world) {
			w.gatherCell("vparts\n" + partsOfCells)

			w.send("v", "reader", 1)
			r := w.expect("started succeeded started succeeded started failed")
			want := "the output of cell 1: it is neither JSON nor text, so there is no JSON array of all outputs of cells"
			if !strings.HasPrefix(r.Text, want) || !r.Fatal {
				t.Errorf("output %q: failed with %q, to be retried: %v", output, r.Text, !r.Fatal)
			}
		})
	}
}

// longText is small enough for a part, and too large for a list.
var longText = strings.Repeat("x", values.MaxInline-8)

func TestGather_LargeListIsMadeWhenItIsRead(t *testing.T) {
	simulate(t, writing("raw\n"+longText, func(value []byte, err error) error {
		if want := `json` + "\n" + `[null,"` + longText + `"]`; err == nil && string(value) != want {
			err = fmt.Errorf("read %d bytes, %.20q, want %d", len(value), value, len(want))
		}
		return err
	}), func(w *world) {
		w.gatherCell("vparts\n" + partsOfCells)

		w.send("v", "reader", 1)
		w.expect("started succeeded started succeeded started succeeded")
	})
}

// The record of the parts says which attempts made them, since other users may write to Redis.
func TestGather_PartsOfOtherAttemptsAreRefused(t *testing.T) {
	simulate(t, writing("raw\n"+longText, func(_ []byte, err error) error { return err }), func(w *world) {
		w.gatherCell("vparts\n" + partsOfCells)

		cell := w.id("cell 1")
		other := values.Sign(key, w.origin(), values.Producer{Stage: cell, Of: cell}, 2, []byte("vraw\nother"))
		w.mini.HSet("godags:{r}:out", fmt.Sprint(cell), string(other))
		w.send("v", "reader", 1)
		r := w.expect("started succeeded started succeeded started failed")
		if !strings.Contains(r.Text, "it is of attempt 2, and attempt 1 succeeded") {
			t.Error(r.Text)
		}
	})
}
