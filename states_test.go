package godags

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
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

// constants returns the values of the exported constants of a type in a folder of Go files.
func constants(t *testing.T, folder string, has func(name, kind string) bool) (values []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}

	set := token.NewFileSet()
	for _, name := range files {
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(file) {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				continue
			}

			kind, _ := spec.Type.(*ast.Ident)
			literal, _ := spec.Values[0].(*ast.BasicLit)
			if kind == nil {
				kind = new(ast.Ident)
			}
			if literal == nil || literal.Kind != token.STRING || !has(spec.Names[0].Name, kind.Name) {
				continue
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
	}

	slices.Sort(values)
	return values
}

func TestEventType_HasAConstantForEachTypeOfTheJournal(t *testing.T) {
	// The projection makes it of a failure that is retried.
	want := []string{"stage.retrying"}
	for i := range 256 {
		if name := journal.Type(i).String(); !strings.HasPrefix(name, "unknown.") {
			want = append(want, name)
		}
	}
	slices.Sort(want)

	got := constants(t, ".", func(_, kind string) bool { return kind == "EventType" })
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestReasonCode_HasAConstantForEachCodeOfAStatus(t *testing.T) {
	want := constants(t, "internal/api", func(name, _ string) bool {
		// Status needs Redis, so it never has that reason. Only the command line shows it.
		return strings.HasPrefix(name, "Reason") && name != "ReasonRedis"
	})
	got := constants(t, ".", func(_, kind string) bool { return kind == "ReasonCode" })
	if !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("got  %q\nwant %q", got, want)
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

// The report has fields of what `run --output json` prints.
func TestReport_IsInJSONAsOnTheCommandLine(t *testing.T) {
	p := New("p")
	Produce(p, "a", func(context.Context) (int, error) { return 7, nil })
	report, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{Total: 1, Succeeded: 1}); report.Stages != want {
		t.Errorf("got %+v, want %+v", report.Stages, want)
	}

	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var form api.Run
	if err := decoder.Decode(&form); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if form.Run != report.Run || form.State != api.Succeeded || form.Stages.Succeeded != 1 || !form.Started.Equal(report.Started) ||
		form.Finished == nil || string(form.Outputs["a"]) != "7" {
		t.Errorf("got %s", text)
	}
}
