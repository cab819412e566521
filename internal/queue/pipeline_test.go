package queue

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/redistest"
)

// trips counts what is sent, and can lose the answers to pipelines.
type trips struct {
	commands, pipelines int
	lose                error
}

func (*trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.commands++
		return next(ctx, cmd)
	}
}

func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.pipelines++
		err := next(ctx, cmds)
		if h.lose == nil {
			return err
		}
		for _, cmd := range cmds {
			cmd.SetErr(h.lose)
		}
		return h.lose
	}
}

// queued returns the ids of the tasks that wait, the oldest first.
func queued(t *testing.T, rdb *redis.Client) []string {
	t.Helper()
	ids, err := rdb.LRange(t.Context(), "asynq:{"+name("q", "", key(t))+"}:pending", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(ids)
	return ids
}

func TestEnqueueAll_TakesOneTrip(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		c := NewClient(rdb, key(t))
		// Redis gets the script and the name of the queue
		if err := c.EnqueueAll(t.Context(), "q", task("0")); err != nil {
			t.Fatal(err)
		}
		heard := rdb.Subscribe(t.Context(), c.wakeChannel("q"))
		defer heard.Close()
		if _, err := heard.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		var sent trips
		rdb.AddHook(&sent)
		if err := c.EnqueueAll(t.Context(), "q", task("1"), task("0"), task("2")); err != nil {
			t.Fatal(err)
		}
		if sent.commands != 0 || sent.pipelines != 1 {
			t.Errorf("%d commands and %d pipelines", sent.commands, sent.pipelines)
		}
		if got := queued(t, rdb); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("in the queue: %q", got)
		}
		if _, err := heard.ReceiveTimeout(t.Context(), time.Minute); err != nil {
			t.Error("nobody was woken:", err)
		}
	})
}

func TestEnqueueAll_SendsForgottenScriptsAgain(t *testing.T) {
	rdb := redistest.Start(t).Client()
	c := NewClient(rdb, key(t))
	heard := rdb.Subscribe(t.Context(), c.wakeChannel("q"))
	defer heard.Close()
	if _, err := heard.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][2]string{{"1", "2"}, {"3", "4"}} {
		if err := rdb.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.EnqueueAll(t.Context(), "q", task(ids[0]), task(ids[1])); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the first came before the tasks
			if _, err := heard.ReceiveTimeout(t.Context(), time.Minute); err != nil {
				t.Fatal("nobody was woken:", err)
			}
		}
	}
	if got := queued(t, rdb); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("in the queue: %q", got)
	}
}

func TestEnqueueAll_AddsNothingWhenSentTwice(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		c := NewClient(rdb, key(t))
		if err := c.EnqueueAll(t.Context(), "q", task("0")); err != nil {
			t.Fatal(err)
		}
		sent := trips{lose: errors.New("connection reset")}
		rdb.AddHook(&sent)
		if err := c.EnqueueAll(t.Context(), "q", task("1"), task("2")); !errors.Is(err, sent.lose) {
			t.Fatal(err)
		}
		sent.lose = nil
		if err := c.EnqueueAll(t.Context(), "q", task("1"), task("2")); err != nil {
			t.Fatal(err)
		}
		if got := queued(t, rdb); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("in the queue: %q", got)
		}
	})
}
