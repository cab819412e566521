package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/fleet"
)

func TestWorkersAreListed(t *testing.T) {
	f := newFixture(t)
	f.execute("workers").expect(t, 0, "no live workers: start one with `prog worker")
	f.beat(fleet.Worker{ID: "w-1", Host: "box", PID: 4711, Queues: []string{"default", "gpu"}, Slots: 4, Busy: 1, Version: "0.1.0", Started: time.Now()})
	o := f.execute("workers")
	o.expect(t, 0)
	fields := strings.Fields(strings.Split(o.stdout, "\n")[1])
	if got, want := strings.Join(append(fields[:4], fields[8:11]...), " "), "w-1 busy 1/4 default,gpu box 4711 0.1.0"; got != want {
		t.Errorf("got %s, want %s:\n%s", got, want, o.stdout)
	}
}

func TestWorkersForPrograms(t *testing.T) {
	f := newFixture(t)
	if o := f.execute("workers", "--output", "json"); o.stdout != "[]\n" || o.stderr != "" {
		t.Errorf("without workers: %q, %q", o.stdout, o.stderr)
	}
	f.beat(fleet.Worker{ID: "w-1", Host: "box", PID: 4711, Queues: []string{"gpu"}, Slots: 4})
	o := f.execute("workers", "--output", "json")
	var list []map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v: %s", err, o.stdout+o.stderr)
	}
	for name, want := range map[string]any{"worker": "w-1", "host": "box", "pid": 4711.0, "slots": 4.0, "busy": 0.0, "state": "idle"} {
		if list[0][name] != want {
			t.Errorf("%s is %v, want %v", name, list[0][name], want)
		}
	}
}

func TestAWorkerThatIsNotHeardOfIsSilent(t *testing.T) {
	w := fleet.Worker{ID: "w-1", Busy: 1, Age: fleet.WorkerTTL}
	if row := workerTable([]fleet.Worker{w}, time.Now())[1]; row[1] != "silent" || row[4] != "3s ago" {
		t.Errorf("got %q", row)
	}
}
