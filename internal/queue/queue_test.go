package queue

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/redistest"
)

func task(id string) Task { return Task{id, "a", Batch{Run: "run", Pipeline: "p"}} }

func TestClient_AddsAndRemovesATaskOnce(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		c := NewClient(rdb, key(t))
		for range 2 { // the second is the first, sent again after a lost reply
			if err := c.EnqueueAll(t.Context(), "q", task("run/a#1")); err != nil {
				t.Fatal(err)
			}
		}
		if n := rdb.LLen(t.Context(), "asynq:{"+c.name("q")+"}:pending").Val(); n != 1 {
			t.Errorf("%d tasks", n)
		}
		if pending, err := c.Pending("q", "run/a#1"); !pending || err != nil {
			t.Error(pending, err)
		}
		for range 2 {
			if err := c.Remove("q", "run/a#1"); err != nil {
				t.Fatal(err)
			}
			if pending, err := c.Pending("q", "run/a#1"); pending || err != nil {
				t.Error(pending, err)
			}
		}
		if err := c.Remove("never seen", "x"); err != nil {
			t.Error(err)
		}
	})
}

func TestClient_RemovesThePrivateQueueOfARun(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		shared := NewClient(rdb, key(t))
		own := shared.ForRun("run")
		if err := own.EnqueueAll(t.Context(), "q", task("id")); err != nil {
			t.Fatal(err)
		}
		for c, want := range map[*Client]bool{own: true, shared: false, shared.ForRun("other"): false} {
			if pending, err := c.Pending("q", "id"); pending != want || err != nil {
				t.Errorf("run %q: %v, %v", c.run, pending, err)
			}
		}
		for range 2 {
			if err := own.RemoveQueue(t.Context(), "q"); err != nil {
				t.Fatal(err)
			}
		}
		if keys := rdb.Keys(t.Context(), "*").Val(); len(keys) > 0 {
			t.Errorf("left behind: %q", keys)
		}
	})
}

// A Redis that has lost the end of its AOF, or a person, may have left the task without its place
// in the list.
func TestPending_PutsBackATaskThatTheListHasLost(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		c := NewClient(rdb, key(t))
		if err := c.EnqueueAll(t.Context(), "q", task("1")); err != nil {
			t.Fatal(err)
		}
		list := "asynq:{" + c.name("q") + "}:pending"
		rdb.Del(t.Context(), list)
		for range 2 { // the second finds it in its place
			if pending, err := c.Pending("q", "1"); !pending || err != nil {
				t.Error(pending, err)
			}
		}
		if ids := rdb.LRange(t.Context(), list, 0, -1).Val(); len(ids) != 1 || ids[0] != "1" {
			t.Errorf("the list has %q, want the task once", ids)
		}
	})
}

func TestPaused_NamesTheKeyThatPausesAQueue(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		c := NewClient(rdb, key(t))
		if err := c.EnqueueAll(t.Context(), "q", task("1")); err != nil {
			t.Fatal(err)
		}
		if key, err := c.Paused("q"); key != "" || err != nil {
			t.Errorf("%q, %v; want that it is not paused", key, err)
		}
		if err := c.inspect.PauseQueue(c.name("q")); err != nil {
			t.Fatal(err)
		}
		list, err := PausedQueues(t.Context(), rdb)
		if err != nil || len(list) != 1 || list[0].Name != "q" || list[0].Of != "key:"+c.Fingerprint() {
			t.Fatalf("%+v, %v", list, err)
		}
		if key, err := c.Paused("q"); key != list[0].Key || err != nil {
			t.Errorf("%q, %v; want %q", key, err, list[0].Key)
		}
		rdb.Del(t.Context(), list[0].Key) // what people are told to do
		if list, err := PausedQueues(t.Context(), rdb); len(list) > 0 || err != nil {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
