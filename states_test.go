package godags

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/godags/godags/internal/api"
)

func TestRunState_HasAConstantForEachState(t *testing.T) {
	known := map[RunState]bool{
		StateQueued: true, StateRunning: true, StateCancelling: true, StateStalled: true, StateSucceeded: true,
		StateFailed: true, StateCancelled: true, StateDamaged: true, StateNewer: true,
	}
	states := api.RunStates()
	for _, s := range states {
		if !known[RunState(s)] {
			t.Errorf("no constant is %q", s)
		}
		if got, want := RunState(s).Done(), s == api.Succeeded || s == api.Failed || s == api.Cancelled; got != want {
			t.Errorf("%s: Done is %t, want %t", s, got, want)
		}
	}
	if len(states) != len(known) {
		t.Errorf("%d constants, want %d", len(known), len(states))
	}
}

// A service that sends events as JSON sends what `events` prints.
func TestEvent_IsInJSONAsOnTheCommandLine(t *testing.T) {
	e := api.Event{Seq: 4, Time: time.UnixMilli(1123).UTC(), Type: "stage.retrying", Stage: "a", Attempt: 1, Worker: "w",
		Seconds: 0.000178, Note: "n", Error: "e", Next: time.UnixMilli(2123).UTC()}
	want, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(newEvent(e))
	if err != nil || string(got) != string(want) {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}

	var back Event
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, newEvent(e)) {
		t.Errorf("decoded %+v, %v; want %+v", back, err, newEvent(e))
	}
}

func TestRunStatus_IsInJSONAsOnTheCommandLine(t *testing.T) {
	form := api.Status{
		Run: api.Run{Run: "r", Pipeline: "p", State: api.Running, Started: time.UnixMilli(1000).UTC(),
			Stages: api.Counts{Total: 3, Outcomes: &api.Outcomes{Failed: 1}}},
		Params:   map[string]json.RawMessage{"city": json.RawMessage(`"Oslo"`)},
		Active:   []api.ActiveStage{{Stage: "a", Attempt: 1, Worker: "w", Since: time.UnixMilli(2000).UTC()}},
		Failures: []api.FailedStage{{Stage: "b", Attempt: 1, Error: "broken"}},
		Waiting:  []api.WaitingStage{{Stage: "c", State: "waiting", Reason: api.Reason{Code: "dependencies", Text: "waits for a"}}},
	}
	object := func(v any) (fields map[string]any) {
		text, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(text, &fields)
		}
		if err != nil {
			t.Fatal(err)
		}
		return fields
	}

	want := object(form)
	for _, failed := range want["failures"].([]any) {
		delete(failed.(map[string]any), "worker")
	}
	got := object(newRunStatus(form))
	for name := range got {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: got %v, want %v", name, got[name], want[name])
		}
	}
	for _, name := range []string{"run", "pipeline", "state", "stages", "started", "params", "active", "failures", "waiting"} {
		if _, ok := got[name]; !ok {
			t.Errorf("no field %s in %v", name, got)
		}
	}
}
