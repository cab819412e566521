package fleet_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is an empty fleet, and the Redis that it is in.
type fixture struct {
	*fleet.Fleet
	t   *testing.T
	rdb *redis.Client
}

// fleets runs a test on both kinds of Redis, and on both again with every script sent twice:
// go-redis does that when a reply is lost, and it must not make a difference.
func fleets(t *testing.T, test func(f *fixture)) {
	t.Helper()
	t.Run("sent once", func(t *testing.T) {
		redistest.Both(t, func(t *testing.T, rdb *redis.Client) { test(&fixture{fleet.New(rdb), t, rdb}) })
	})
	t.Run("sent twice", func(t *testing.T) {
		redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
			rdb.AddHook(redistest.Resend{})
			test(&fixture{fleet.New(rdb), t, rdb})
		})
	})
}

func (f *fixture) workers() []fleet.Worker {
	f.t.Helper()
	list, err := f.Workers(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

func (f *fixture) beat(w fleet.Worker) {
	f.t.Helper()
	if err := f.Heartbeat(f.t.Context(), w); err != nil {
		f.t.Fatal(err)
	}
}

// age makes a worker's last heartbeat as long ago as stated.
func (f *fixture) age(worker, info string, ago time.Duration) {
	f.t.Helper()
	f.write("godags:workers", worker, info, ago)
}

func (f *fixture) write(list, id, info string, ago time.Duration) {
	f.t.Helper()
	now, err := f.rdb.Time(f.t.Context()).Result()
	if err != nil {
		f.t.Fatal(err)
	}
	beat := now.Add(-ago).UnixMilli()
	if err := f.rdb.HSet(f.t.Context(), list, id, fmt.Sprint(beat, " ", info)).Err(); err != nil {
		f.t.Fatal(err)
	}
}

func TestWorkers_ListsAWorkerUntilItIsRemoved(t *testing.T) {
	fleets(t, func(f *fixture) {
		if list := f.workers(); len(list) != 0 {
			f.t.Errorf("workers %v before the first heartbeat", list)
		}
		w := fleet.Worker{ID: "box-1/7", Host: "box", PID: 7, Queues: []string{"default", "gpu"}, Slots: 4, Busy: 1,
			Version: "v1\nwith a line", Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
		f.beat(w)
		w.Busy = 3
		f.beat(w)
		list := f.workers()
		if len(list) != 1 || !list[0].Alive() {
			f.t.Fatalf("workers %+v, want one that is alive", list)
		}
		if list[0].Age = 0; !reflect.DeepEqual(list[0], w) {
			f.t.Errorf("%+v, want what it said last: %+v", list[0], w)
		}
		for range 2 {
			if err := f.Remove(f.t.Context(), w.ID); err != nil {
				f.t.Error(err)
			}
		}
		if list := f.workers(); len(list) != 0 {
			f.t.Errorf("workers %v after the last was removed", list)
		}
	})
}

func TestWorkers_ListsASilentWorkerAsDeadForAMinute(t *testing.T) {
	fleets(t, func(f *fixture) {
		f.age("late", "{}", fleet.WorkerTTL-time.Second)
		f.age("dead", "{}", fleet.WorkerTTL)
		f.age("gone", "{}", 2*time.Minute)
		alive := make(map[string]bool)
		for _, w := range f.workers() {
			alive[w.ID] = w.Alive()
		}
		if want := map[string]bool{"late": true, "dead": false}; !reflect.DeepEqual(alive, want) {
			f.t.Errorf("alive: %v, want %v", alive, want)
		}
		if n, err := f.rdb.HLen(f.t.Context(), "godags:workers").Result(); n != 2 || err != nil {
			f.t.Errorf("%d workers are still stored, %v", n, err)
		}
	})
}

func TestWorkers_SkipsWhatIsNoHeartbeat(t *testing.T) {
	fleets(t, func(f *fixture) {
		if err := f.rdb.HSet(f.t.Context(), "godags:workers", "a", "", "b", "soon {}", "c", "99").Err(); err != nil {
			f.t.Fatal(err)
		}
		f.age("d", "no JSON", 0)
		f.beat(fleet.Worker{ID: "w1"})
		if list := f.workers(); len(list) != 1 || list[0].ID != "w1" {
			f.t.Errorf("workers %+v", list)
		}
	})
}

// The last heartbeat of a worker was written while the clock was an hour ahead. It ages from the
// first look on.
func TestWorkers_TrustsNoHeartbeatFromTheFuture(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		f := &fixture{fleet.New(rdb), t, rdb}
		f.age("w", "{}", -time.Hour)

		for begin := time.Now(); ; {
			list := f.workers()
			if len(list) != 1 {
				t.Fatalf("workers %v, want one", list)
			}
			if list[0].Age > 0 {
				return
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("the heartbeat does not age: %v", list[0].Age)
			}
		}
	})
}

func TestCoordinators_ListsLiveCoordinatorsUntilTheyAreRemoved(t *testing.T) {
	fleets(t, func(f *fixture) {
		c := fleet.Coordinator{ID: "c1", Host: "box", PID: 7, Runs: 2, Version: "v1", Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
		if err := f.CoordinatorHeartbeat(f.t.Context(), c); err != nil {
			f.t.Fatal(err)
		}
		f.write("godags:coordinators", "dead", "{}", fleet.WorkerTTL)

		list, err := f.Coordinators(f.t.Context())
		if err != nil || len(list) != 1 {
			f.t.Fatalf("coordinators %+v, %v; want one", list, err)
		}
		if list[0].Age = 0; !reflect.DeepEqual(list[0], c) {
			f.t.Errorf("%+v, want what it wrote: %+v", list[0], c)
		}
		for range 2 {
			if err := f.RemoveCoordinator(f.t.Context(), "c1"); err != nil {
				f.t.Error(err)
			}
		}
		if list, err := f.Coordinators(f.t.Context()); err != nil || len(list) != 0 {
			f.t.Errorf("coordinators %v, %v after the last was removed", list, err)
		}
	})
}

func TestCapabilities_LackWhatNoAbleWorkerOfTheQueueHas(t *testing.T) {
	fleets(t, func(f *fixture) {
		names := []string{"a", "b"}
		if err := f.PublishHandlers(f.t.Context(), names); err != nil {
			f.t.Fatal(err)
		}
		worker := fleet.Worker{Queues: []string{"q"}, Key: "k", Handlers: fleet.HandlersDigest(names)}
		other, unhealthy, silent, foreign := worker, worker, worker, worker
		other.Handlers = fleet.HandlersDigest([]string{"c"}) // not published
		unhealthy.Handlers, unhealthy.Unhealthy = "", "no space"
		silent.Handlers, silent.Age = "", time.Minute
		foreign.Handlers, foreign.Key = "", "another"

		for _, test := range []struct {
			workers     []fleet.Worker
			queue, task string
			want        bool
		}{
			{[]fleet.Worker{worker}, "q", "a", false},
			{[]fleet.Worker{worker}, "q", "c", true},
			{[]fleet.Worker{worker}, "q", "", false},  // what needs no handler
			{[]fleet.Worker{worker}, "r", "c", false}, // no worker listens
			{[]fleet.Worker{worker, other}, "q", "c", false},
			{[]fleet.Worker{worker, unhealthy, silent, foreign}, "q", "c", true},
		} {
			c, err := f.Capabilities(f.t.Context(), test.workers, "r", "k", nil)
			if err != nil {
				f.t.Fatal(err)
			}
			if got := c.Lack(test.queue, test.task); got != test.want {
				f.t.Errorf("%d workers: queue %q lacks %q: %v, want %v", len(test.workers), test.queue, test.task, got, test.want)
			}
		}
	})
}

func TestFleet_ReturnsTheErrorWhenRedisIsUnreachable(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	if err := rdb.Close(); err != nil {
		t.Fatal(err)
	}
	f := fleet.New(rdb)
	calls := map[string]error{
		"heartbeat": f.Heartbeat(t.Context(), fleet.Worker{ID: "w1"}), "remove": f.Remove(t.Context(), "w1"),
		"coordinator heartbeat": f.CoordinatorHeartbeat(t.Context(), fleet.Coordinator{ID: "c1"}), "remove coordinator": f.RemoveCoordinator(t.Context(), "c1"),
		"publish": f.PublishHandlers(t.Context(), nil),
	}
	_, calls["workers"] = f.Workers(t.Context())
	_, calls["coordinators"] = f.Coordinators(t.Context())
	_, calls["handlers"] = f.Handlers(t.Context(), "x")
	for what, err := range calls {
		if !errors.Is(err, redis.ErrClosed) {
			t.Errorf("%s: %v, want %v", what, err, redis.ErrClosed)
		}
	}
}
