package dag

import (
	"errors"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	var got []string
	for s := range numStates + 1 {
		got = append(got, s.String())
	}
	for e := range EventType(numEvents) + 1 {
		got = append(got, e.String())
	}
	for c := range Finish + 2 {
		got = append(got, c.String())
	}
	want := []string{
		"waiting", "ready", "running", "retrying", "succeeded", "failed", "skipped", "cancelled", "State(8)",
		"started", "succeeded", "failed", "lost", "skipped", "cancelled", "EventType(6)", "run cancelling", "run finished", "run reopened", "EventType(10)",
		"dispatch", "retry", "skip", "cancel", "finish", "CommandType(5)",
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTerminalStates(t *testing.T) {
	for s, want := range map[State]bool{Waiting: false, Ready: false, Running: false, Retrying: false, Succeeded: true, Failed: true, Skipped: true, Cancelled: true} {
		if s.Terminal() != want {
			t.Errorf("%v is terminal: %v", s, s.Terminal())
		}
	}
}

// An error about a stage can be taken apart.
func TestTransitionError(t *testing.T) {
	r := NewRun(build(t, "a:", "b:", "c: a b"), Rules{})
	if _, err := r.Apply(Event{Type: StageSucceeded, Stage: 0, Attempt: 1}, nil); err != nil {
		t.Fatal(err)
	}
	e := Event{Type: StageStarted, Stage: 2, Attempt: 3}
	_, err := r.Apply(e, nil)
	want := TransitionError{Event: e, Name: "c", State: Waiting, Attempt: 1, Missing: 1}
	if got := new(TransitionError); !errors.As(err, &got) || *got != want {
		t.Errorf("got %v, want %v", err, &want)
	}
}

// Events that no journal of this run can have.
func TestForeignEvents(t *testing.T) {
	r := NewRun(build(t, "a:", "b: a"), Rules{})
	for _, e := range []Event{
		{Type: StageStarted, Stage: 2, Attempt: 1},
		{Type: StageStarted, Stage: 1<<32 - 1, Attempt: 1},
		{Type: StageSkipped, Stage: 1, Cause: 2},
		{Type: StageSucceeded, Stage: 0, Attempt: 1, Count: MaxInstances + 1},
		{Type: numStageEvents},
		{Type: numEvents},
		{Type: 255},
	} {
		commands, err := r.Apply(e, nil)
		if err == nil || len(commands) > 0 || !strings.Contains(err.Error(), "does not fit a run of 2 stages") {
			t.Errorf("%+v: commands %v, error %v", e, commands, err)
		}
	}
}

// A run in which no stage is skipped has no causes.
func TestRun_CauseWithoutSkips(t *testing.T) {
	r := NewRun(build(t, "a:", "b: a"), Rules{})
	if r.Cause(1) != 1 {
		t.Errorf("cause %d", r.Cause(1))
	}
}

// A trigger's name is what a stored pipeline has.
func TestTriggerNames(t *testing.T) {
	for i, name := range Triggers() {
		var trigger Trigger
		text, err := Trigger(i).MarshalText()
		if err != nil || string(text) != name || trigger.UnmarshalText(text) != nil || trigger != Trigger(i) || trigger.String() != name {
			t.Errorf("%q became %q, then %v: %v", name, text, trigger, err)
		}
	}
	none := Trigger(numTriggers)
	if _, err := none.MarshalText(); err == nil || none.UnmarshalText([]byte("sometimes")) == nil || none.String() != "Trigger(4)" {
		t.Errorf("there is a trigger %v", none)
	}
}
