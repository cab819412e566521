package cli

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
)

func TestStatusOfARunThatGoesOn(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.beat(fleet.Worker{ID: "hand", Queues: []string{"default"}, Slots: 1})
	f.succeed("demo-1", first, "", "")
	f.start("demo-1", second, 1)

	o := f.execute("status", "demo-1")
	o.expect(t, 0, "pipeline  demo\n", "state     running for ", "stages    4: 1 succeeded, 1 running, 1 ready, 1 waiting\n",
		"values    redis\n", "redis     Redis ", "1 stage waits: no live worker listens on queue gpu; start one with `prog worker", "--queue gpu --redis ")
	if !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), "running STAGE ATTEMPT WORKER FOR second 1 hand") {
		t.Errorf("it does not say what runs:\n%s", o.stdout)
	}

	f.check(f.fleet.Remove(t.Context(), "hand"))
	f.execute("status", "demo-1").expect(t, 0, "hand (silent)")
	_, err := f.journal.RequestCancel(t.Context(), "demo-1", "enough")
	f.check(err)
	f.execute("status", "demo-1").expect(t, 0, "state     cancelling for ")
}

func TestStatusOfARunThatFailed(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	o := f.execute("status", "demo-1")
	o.expect(t, 0, "state     failed after ", "second (attempt 1, hand): exit status 3\n", "    | reading\n    | cannot open\n", "because second failed: last\n",
		"look closer:   prog logs demo-1 second --redis ", "retry it:      prog retry demo-1 --redis ")
	if strings.Contains(o.stdout, "\x1b") {
		t.Errorf("there are control characters in\n%q", o.stdout)
	}
	f.execute("status", "demo-1", "--color", "always").expect(t, 0, "\x1b[1;31mfailed\x1b[0m after")
}

func TestStatusOfAStageThatTheCoordinatorFailed(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.start("demo-1", first, 1)
	f.decide("demo-1", journal.EndForced, journal.Record{Type: journal.StageFailed, Stage: first, Attempt: 1, Text: "poison", Fatal: true})
	f.execute("status", "demo-1").expect(t, 0, "  first (attempt 1): poison\n")
}

func TestStatusOfAStalledRun(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", undriven)
	o := f.execute("status", "demo-1")
	o.expect(t, 0, "state     stalled\n", "The coordinator of this run is dead")
	if strings.Contains(o.stdout, "no live worker") {
		t.Errorf("a worker would not help:\n%s", o.stdout)
	}
}

func TestStatusListsEveryStage(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.succeed("demo-1", first, "hello\n", "hello")
	token := f.start("demo-1", second, 1)
	_, err := f.journal.Report(t.Context(), journal.Claim{Run: "demo-1", Worker: "hand", Token: token}, []journal.Outcome{{Record: journal.Record{Type: journal.StageLost, Stage: second, Attempt: 1}}})
	f.check(err)
	f.start("demo-1", second, 2)
	o := f.execute("status", "demo-1", "--stages")
	o.expect(t, 0, "1 attempt lost with its worker")
	all := strings.Join(strings.Fields(o.stdout), " ")
	if want := "STAGE STATE ATTEMPT TOOK LAST LINE first succeeded 1 1.5s hello second running 2 - third ready - - no live worker listens on queue gpu last waiting - - waits for second"; !strings.HasSuffix(all, want) {
		t.Errorf("got\n%s\nwant at its end\n%s", o.stdout, want)
	}
	f.execute("status", "demo-1", "--stages", "--output", "json").expect(t, 2, "--stages is for text: `prog graph RUN --format json --redis ")
}

func TestStatusForPrograms(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	f.submit("demo-2", driven)
	f.succeed("demo-2", first, "", "")
	f.start("demo-2", second, 1)
	f.submit("demo-3", undriven)

	read := func(id string) (status map[string]any) {
		t.Helper()
		o := f.execute("status", id, "--output", "json")
		if err := json.Unmarshal([]byte(o.stdout), &status); err != nil || o.code != 0 || o.stderr != "" {
			t.Fatalf("%v: exit code %d, %s", err, o.code, o.stdout+o.stderr)
		}
		return status
	}
	failed := read("demo-1")
	for name, want := range map[string]any{
		"run": "demo-1", "pipeline": "demo", "state": "failed", "values": "redis", "redis": "external", "outputs": map[string]any{},
		"stages":   map[string]any{"total": 4.0, "succeeded": 2.0, "failed": 1.0, "skipped": 1.0, "cancelled": 0.0},
		"active":   []any{},
		"unserved": []any{},
		"failures": []any{map[string]any{"stage": "second", "attempt": 1.0, "worker": "hand", "error": "exit status 3"}},
	} {
		if !reflect.DeepEqual(failed[name], want) {
			t.Errorf("%s is %v, want %v", name, failed[name], want)
		}
	}
	running := read("demo-2")
	active, _ := running["active"].([]any)
	if running["state"] != "running" || running["finished"] != nil || len(active) != 1 {
		t.Fatalf("got %v", running)
	}
	a := active[0].(map[string]any)
	if a["stage"] != "second" || a["attempt"] != 1.0 || a["worker"] != "hand" || a["since"] == "" {
		t.Errorf("active: %v", a)
	}
	if want := []any{map[string]any{"queue": "gpu", "stages": 1.0}}; !reflect.DeepEqual(running["unserved"], want) {
		t.Errorf("unserved: %v, want %v", running["unserved"], want)
	}
	if state := read("demo-3")["state"]; state != "stalled" {
		t.Errorf("without a coordinator the state is %v", state)
	}
}
