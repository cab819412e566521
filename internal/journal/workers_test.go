package journal_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/godags/godags/internal/journal"
)

func (f *fixture) workers() []journal.WorkerInfo {
	f.t.Helper()
	list, err := f.Workers(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

func (f *fixture) beat(w journal.WorkerInfo) {
	f.t.Helper()
	if err := f.Beat(f.t.Context(), w); err != nil {
		f.t.Fatal(err)
	}
}

// age makes a worker's last beat as long ago as stated.
func (f *fixture) age(worker, info string, ago time.Duration) {
	f.t.Helper()
	now, err := f.rdb.Time(f.t.Context()).Result()
	if err != nil {
		f.t.Fatal(err)
	}
	beat := now.Add(-ago).UnixMilli()
	if err := f.rdb.HSet(f.t.Context(), "godags:workers", worker, fmt.Sprint(beat, " ", info)).Err(); err != nil {
		f.t.Fatal(err)
	}
}

func TestAWorkerIsKnownUntilItLeaves(t *testing.T) {
	journals(t, func(f *fixture) {
		if list := f.workers(); len(list) != 0 {
			f.t.Errorf("workers %v before the first beat", list)
		}
		w := journal.WorkerInfo{ID: "box-1/7", Host: "box", PID: 7, Queues: []string{"default", "gpu"}, Slots: 4, Busy: 1,
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
			if err := f.Leave(f.t.Context(), w.ID); err != nil {
				f.t.Error(err)
			}
		}
		if list := f.workers(); len(list) != 0 {
			f.t.Errorf("workers %v after the last has left", list)
		}
	})
}

func TestASilentWorkerIsDeadThenForgotten(t *testing.T) {
	journals(t, func(f *fixture) {
		f.age("late", "{}", journal.WorkerTTL-time.Second)
		f.age("dead", "{}", journal.WorkerTTL)
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

func TestWhatIsNoHeartbeatIsNotListed(t *testing.T) {
	journals(t, func(f *fixture) {
		if err := f.rdb.HSet(f.t.Context(), "godags:workers", "a", "", "b", "soon {}", "c", "99").Err(); err != nil {
			f.t.Fatal(err)
		}
		f.age("d", "no JSON", 0)
		f.beat(journal.WorkerInfo{ID: "w1"})
		if list := f.workers(); len(list) != 1 || list[0].ID != "w1" {
			f.t.Errorf("workers %+v", list)
		}
	})
}
