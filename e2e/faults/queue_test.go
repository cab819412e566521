package faults

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// queue begins the keys of the one queue that a test uses.
func (w *world) queue() (prefix string) {
	w.t.Helper()
	w.await("a queue", func() bool {
		names, err := w.rdb.SMembers(w.t.Context(), "asynq:queues").Result()
		w.must(err)
		prefix = "asynq:{" + strings.Join(names, "") + "}:"
		return len(names) == 1
	})
	return prefix
}

// redeliver does what Asynq does when the lease of a task has run out.
func (w *world) redeliver(task string) {
	w.t.Helper()
	key, ctx := w.queue(), w.t.Context()
	w.must(w.rdb.LRem(ctx, key+"active", 1, task).Err())
	w.must(w.rdb.ZRem(ctx, key+"lease", task).Err())
	w.must(w.rdb.HSet(ctx, key+"t:"+task, "state", "pending").Err())
	w.must(w.rdb.LPush(ctx, key+"pending", task).Err())
}

// archive puts a pending task aside, as a person does in asynqmon.
func (w *world) archive(task string) {
	w.t.Helper()
	key, ctx := w.queue(), w.t.Context()
	w.must(w.rdb.LRem(ctx, key+"pending", 1, task).Err())
	w.must(w.rdb.HSet(ctx, key+"t:"+task, "state", "archived").Err())
	w.must(w.rdb.ZAdd(ctx, key+"archived", redis.Z{Member: task}).Err())
}

// remove deletes a pending task.
func (w *world) remove(task string) {
	w.t.Helper()
	key, ctx := w.queue(), w.t.Context()
	w.must(w.rdb.LRem(ctx, key+"pending", 1, task).Err())
	w.must(w.rdb.Del(ctx, key+"t:"+task).Err())
}

func (w *world) pending() []string {
	w.t.Helper()
	list, err := w.rdb.LRange(w.t.Context(), w.queue()+"pending", 0, -1).Result()
	w.must(err)
	return list
}

// 20: a user deletes a task that waits, archives another, and runs that again when its stage is
// over. All stages are executed, once.
func TestSomebodyMeddlesWithTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var stages []stage
	for i := range 4 {
		name := fmt.Sprintf("s%d", i)
		stages = append(stages, stage{Name: name, Run: "echo " + name + " >>ran"})
	}
	run := w.run(stages)
	w.await("tasks that wait", func() bool { return len(w.pending()) >= 2 })
	tasks := w.pending()
	w.remove(tasks[0])
	w.archive(tasks[1])
	w.worker()
	run.exits(0)
	w.must(w.rdb.ZRem(t.Context(), w.queue()+"archived", tasks[1]).Err())
	w.redeliver(tasks[1])
	w.await("an empty queue", func() bool { return len(w.pending()) == 0 && w.rdb.LLen(t.Context(), w.queue()+"active").Val() == 0 })
	run.check(0, quickly)
	for _, s := range stages {
		w.ran(s.Name, 1)
	}
}

// forge puts a task with this payload, as it stands in the task's protobuf message, into the queue:
// a copy of another task with another id.
func (w *world) forge(id, msg string) {
	w.t.Helper()
	key, ctx := w.queue(), w.t.Context()
	w.must(w.rdb.HSet(ctx, key+"t:"+id, "msg", msg, "state", "pending", "pending_since", 1).Err())
	w.must(w.rdb.LPush(ctx, key+"pending", id).Err())
}

// 24: tasks that no coordinator sent, that were sent before, and that are damaged: each is refused
// before anything runs.
func TestForgedAndRepeatedTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := w.run(single)
	w.await("a task", func() bool { return len(w.pending()) == 1 })
	id := w.pending()[0]
	msg, err := w.rdb.HGet(t.Context(), w.queue()+"t:"+id, "msg").Result()
	w.must(err)
	from, to := strings.Index(msg, "{"), strings.LastIndex(msg, "}")+1
	payload := msg[from:to]
	w.worker()
	w.pid("only.1")
	forged := map[string]string{"repeated": msg, "cut short": msg[:len(msg)/2], "nonsense": "nonsense", "empty": ""}
	for name, change := range map[string]func(map[string]any){
		"other spec":    func(p map[string]any) { p["digest"] = strings.Repeat("0", 64) },
		"other run":     func(p map[string]any) { p["run"] = "x" },
		"another stage": func(p map[string]any) { p["items"] = []any{map[string]any{"stage": 9, "attempt": 1}} },
	} {
		var fields map[string]any
		w.must(json.Unmarshal([]byte(payload), &fields))
		change(fields)
		text, err := json.Marshal(fields)
		w.must(err)
		if len(text) > len(payload) {
			t.Fatalf("%s: the length of a message cannot change", name)
		}
		forged[name] = msg[:from] + string(text) + strings.Repeat(" ", len(payload)-len(text)) + msg[to:]
	}
	for name, text := range forged {
		w.forge("forged "+name, text)
	}
	w.worker()
	w.await("the end of all forged tasks", func() bool { return len(w.pending()) == 0 })
	w.goOn()
	run.succeeds(0, quickly)
	w.ran("only", 1)
	w.ran("after", 1)
}
