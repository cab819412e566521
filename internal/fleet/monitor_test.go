package fleet_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/version"
)

// begin is the time at which the tests of the monitor begin. No clock is involved.
var begin = time.Unix(1e9, 0)

// watch updates a monitor at each heartbeat interval until the given time, with one worker whose
// last heartbeat was at the given time.
func watch(m *fleet.Monitor, heartbeat, from, until time.Duration) {
	for t := from; t <= until; t += fleet.HeartbeatInterval {
		m.Update([]fleet.Worker{{ID: "w", Age: t - heartbeat}}, nil, begin.Add(t))
	}
}

func TestMonitor_CountsASilentWorkerAsDead(t *testing.T) {
	m := fleet.NewMonitor("r", "k")
	watch(m, 0, 0, fleet.WorkerTTL-fleet.HeartbeatInterval)
	if m.Dead("w", begin.Add(fleet.WorkerTTL-fleet.HeartbeatInterval)) {
		t.Error("dead before its heartbeat is too old")
	}
	watch(m, 0, fleet.WorkerTTL, fleet.WorkerTTL)
	if !m.Dead("w", begin.Add(fleet.WorkerTTL)) {
		t.Error("alive although its heartbeat is too old")
	}
}

// After an outage, the last heartbeats of all workers are old. They get the time to send another.
func TestMonitor_GivesWorkersTimeAfterAnOutage(t *testing.T) {
	m := fleet.NewMonitor("r", "k")
	watch(m, 0, 0, time.Second)
	m.Unreachable()
	after := time.Minute
	watch(m, 0, after, after)
	if m.Dead("w", begin.Add(after)) {
		t.Error("dead at the first listing after the outage")
	}
	watch(m, 0, after, after+2*fleet.HeartbeatInterval)
	if !m.Dead("w", begin.Add(after+2*fleet.HeartbeatInterval)) {
		t.Error("alive although it sent no heartbeat after the outage")
	}
}

// The clock of Redis jumps ahead by a minute: the heartbeat seems old, and is not.
func TestMonitor_BelievesNoJumpOfTheRedisClock(t *testing.T) {
	m := fleet.NewMonitor("r", "k")
	watch(m, 0, 0, 2*time.Second)
	m.Update([]fleet.Worker{{ID: "w", Age: time.Minute}}, nil, begin.Add(2*time.Second))
	if m.Dead("w", begin.Add(2*time.Second)) {
		t.Error("dead although its heartbeat came two seconds ago")
	}
}

func TestMonitor_LacksAnAttemptThatItsWorkerDoesNotHold(t *testing.T) {
	a := journal.AttemptID{Stage: 1, Attempt: 2}
	now := begin.Add(time.Minute)
	for name, test := range map[string]struct {
		holds   map[journal.RunID][]journal.AttemptID
		claimed time.Duration // before now
		want    bool
	}{
		"holds it":              {map[journal.RunID][]journal.AttemptID{"r": {a}}, 10 * time.Second, false},
		"holds it no more":      {map[journal.RunID][]journal.AttemptID{}, 10 * time.Second, true},
		"holds it of another":   {map[journal.RunID][]journal.AttemptID{"r2": {a}}, 10 * time.Second, true},
		"may not know it yet":   {map[journal.RunID][]journal.AttemptID{}, time.Second, false},
		"does not list its own": {nil, 10 * time.Second, false},
	} {
		m := fleet.NewMonitor("r", "k")
		m.Update([]fleet.Worker{{ID: "w", Workload: fleet.Workload{Holds: test.holds}}}, nil, now)
		if got := m.Lacks("w", a, now.Add(-test.claimed), now); got != test.want {
			t.Errorf("%s: lacks %v, want %v", name, got, test.want)
		}
	}
}

func TestMonitor_GroupsListenersByQueue(t *testing.T) {
	m := fleet.NewMonitor("r", "k")
	q := []string{"q"}
	m.Update([]fleet.Worker{
		{ID: "able", Queues: []string{"q", "p"}, Slots: 2, Key: "k", Version: "v1", Workload: fleet.Workload{Delivered: []string{"t"}}},
		{ID: "old", Queues: q, Slots: 4, Key: "k", Version: "v0", Format: version.Format + 1},
		{ID: "sick", Queues: q, Slots: 8, Key: "k", Unhealthy: "no space"},
		{ID: "foreign", Queues: q, Slots: 16, Key: "another"},
		{ID: "busy", Queues: q, Slots: 32, Key: "k", Run: "r2"},
		{ID: "dead", Queues: q, Slots: 64, Key: "k", Age: time.Minute, Workload: fleet.Workload{Delivered: []string{"lost"}}},
	}, nil, begin)

	want := fleet.Listeners{Slots: 2, Versions: []string{"able (v1)", "old (v0)"}, Unhealthy: []string{"sick: no space"}, KeyMismatch: []string{"foreign"}}
	if got := m.Listeners("q"); !reflect.DeepEqual(got, want) {
		t.Errorf("queue q: got %+v, want %+v", got, want)
	}
	if m.Slots("q") != 2 || m.Slots("p") != 2 || m.Slots("none") != 0 {
		t.Errorf("slots: q %d, p %d, none %d; want 2, 2, 0", m.Slots("q"), m.Slots("p"), m.Slots("none"))
	}
	if got := m.Delivered(); !reflect.DeepEqual(got, []string{"t"}) {
		t.Errorf("delivered: got %q, want t", got)
	}
}
