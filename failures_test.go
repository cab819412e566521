package godags

import (
	"errors"
	"strconv"
	"testing"
)

func TestFailures_ForgetTheOldest(t *testing.T) {
	f := newFailures()
	cause := errors.New("cause")
	for i := range maxFailures + 10 {
		f.add(attempt{"run", "stage", i}, cause)
	}
	if got := len(f.errs); got != maxFailures {
		t.Errorf("got %d errors, want %d", got, maxFailures)
	}
	for number, want := range map[int]bool{9: false, 10: true, maxFailures + 9: true} {
		err := &RunError{Run: "run", Failed: []*StageError{{Stage: "stage", Attempt: number}}}
		f.explain(err)
		if got := errors.Is(err, cause); got != want {
			t.Errorf("attempt %s: got %v, want %v", strconv.Itoa(number), got, want)
		}
	}
}
