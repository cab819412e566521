package spec

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/godags/godags/dag"
)

// strangers is a pipeline in which each stage is a separate kind, the last in another queue.
func strangers(t *testing.T, n int) *Spec {
	b := &Builder{Name: "p"}
	for i := range n {
		b.Add(fmt.Sprint("s", i), nil, Kind{Task: "t", Params: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))})
	}
	b.Add("gpu", nil, Kind{Task: "t", Queue: "gpu"})
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALongerTimeIsLearnedAtOnceAndAShorterOneLittleByLittle(t *testing.T) {
	d := NewDurations(strangers(t, 1))
	if _, known := d.Of(0); known {
		t.Error("known before it was executed")
	}
	for _, step := range []struct{ took, want time.Duration }{{8, 8}, {100, 100}, {20, 80}, {80, 80}} {
		d.Learn(0, step.took*time.Millisecond)
		if got, known := d.Of(0); !known || got != step.want*time.Millisecond {
			t.Errorf("after %dms: %s %v", step.took, got, known)
		}
	}
}

func TestUnknownStagesAreGuessedAtAfterManyWereShort(t *testing.T) {
	const n = 100
	d := NewDurations(strangers(t, n))
	guess := func(s dag.StageID, want int) {
		t.Helper()
		if _, most := d.Guess(s); most != want {
			t.Errorf("guesses for up to %d stages, want %d", most, want)
		}
	}
	guess(0, 0)
	for s := range dag.StageID(2 * streakShare) {
		d.Learn(s, time.Microsecond)
		d.Learn(s, time.Microsecond) // again: it is not unknown any more
	}
	guess(n-1, 2)
	guess(n, 0) // of another queue
	d.Learn(49, 10*time.Millisecond)
	guess(n-1, 1)
	d.Learn(50, time.Second)
	guess(n-1, 0)
	if took, _ := d.Guess(n - 1); took != time.Second {
		t.Errorf("after a surprise others are expected to take %s", took)
	}
}
