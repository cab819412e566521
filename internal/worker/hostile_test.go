package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/seal"
	"github.com/godags/godags/tasks"
)

// intruder can write to Redis, and does not have the key.
type intruder struct {
	*world
	rdb    *redis.Client
	client *asynq.Client
	look   *asynq.Inspector
}

// intrude lets the test have Redis for itself while the worker is busy with the stage s.
func intrude(t *testing.T, test func(i *intruder)) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		if s.Name == "s" {
			return finishing(w, ctx, s)
		}
		return nil
	}, func(w *world) {
		rdb := w.connect()
		defer rdb.Close()
		w.send("hold", "s", 1)
		<-w.running
		test(&intruder{world: w, rdb: rdb, client: asynq.NewClientFromRedisClient(rdb), look: asynq.NewInspectorFromRedisClient(rdb)})
	})
}

// steal takes a task out of the queue and returns its payload.
func (i *intruder) steal(id string) []byte {
	i.Helper()
	info, err := i.look.GetTaskInfo(inRedis, id)
	i.must(err)
	i.must(i.look.DeleteTask(inRedis, id))
	return info.Payload
}

func (i *intruder) plant(payload string) {
	i.Helper()
	_, err := i.client.Enqueue(asynq.NewTask("p/planted", []byte(payload)), asynq.Queue(inRedis))
	i.must(err)
}

// sign hands a task to a queue as somebody with a key.
func (i *intruder) sign(signer *queue.Client, id, run string, items ...queue.Item) {
	i.Helper()
	i.must(signer.EnqueueAll(i.Context(), "default", queue.Task{ID: id, Label: "x", Bundle: queue.Bundle{Run: run, Pipeline: "p", Incarnation: incarnation, Digest: i.digest, Items: items}}))
}

// refused waits until the worker has put so many tasks aside, within a simulated minute.
func (i *intruder) refused(want int) {
	i.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		info, err := i.look.GetQueueInfo(inRedis)
		i.must(err)
		if info.Archived == want && info.Active == 0 {
			return
		}
		if time.Since(begin) > time.Minute {
			i.Fatalf("%d tasks are put aside, want %d; %+v", info.Archived, want, info)
		}
	}
}

func TestAForgedTaskIsRefusedBeforeAnythingIsExecuted(t *testing.T) {
	intrude(t, func(i *intruder) {
		i.bundle("good", 1, "x", "y")
		good := string(i.steal("good"))
		x, y := `{"stage":3,"attempt":1}`, `{"stage":4,"attempt":1}`
		forgeries := []string{
			"", "{}", "not JSON at all", strings.Repeat("x", 1<<20),
			good[:len(good)/2], // truncated
			strings.Replace(good, x+","+y, y+","+x, 1),
			strings.Replace(good, x+","+y, x, 1),
			strings.Replace(good, `"run":"r"`, `"run":"q"`, 1),
			strings.Replace(good, `"run":"r"`, `"run":"../../../etc"`, 1),
			strings.Replace(good, i.digest, strings.Repeat("0", len(i.digest)), 1),
		}
		for _, payload := range forgeries {
			if payload == good {
				i.Fatalf("nothing is forged in\n%s", good)
			}
			i.plant(payload)
		}
		stranger := queue.NewClient(i.rdb, otherKey).Own("key:" + key.Fingerprint()) // he writes into our queue
		i.sign(stranger, "stranger", string(run), queue.Item{Stage: 3, Attempt: 1})
		close(i.finish)
		i.refused(len(forgeries) + 1)
		i.tells("s started, s succeeded")
		i.bundle("good", 1, "x", "y")
		i.tells("s started, s succeeded, x started, y started, x succeeded, y succeeded")
	})
}

// A task that was good once is good again, and its claims are refused.
func TestAReplayedTaskDoesNothing(t *testing.T) {
	intrude(t, func(i *intruder) {
		i.bundle("good", 1, "x", "y")
		good := i.steal("good")
		close(i.finish)
		i.tells("s started, s succeeded")
		for range 3 {
			i.plant(string(good))
		}
		i.tells("s started, s succeeded, x started, y started, x succeeded, y succeeded")
		time.Sleep(time.Minute)
		i.tells("s started, s succeeded, x started, y started, x succeeded, y succeeded")
		i.refused(0)
	})
}

func TestASpecThatWasChangedInRedisIsRefused(t *testing.T) {
	intrude(t, func(i *intruder) {
		i.worker.specs.known, i.worker.specs.order = make(map[string]*loaded), nil // as in a worker that meets the run now
		spec := fmt.Sprintf("godags:{%s}:spec", run)
		good, err := i.mini.Get(spec)
		i.must(err)
		last := len(good) - 1
		i.must(i.mini.Set(spec, good[:last]+string(good[last]^1)))
		i.send("1", "x", 1)
		close(i.finish)
		i.tells("s started, s succeeded")
		time.Sleep(time.Minute)
		i.tells("s started, s succeeded")
		i.must(i.mini.Set(spec, good))
		i.send("2", "x", 1)
		i.tells("s started, s succeeded, x started, x succeeded")
	})
}

func TestATaskForAnIllegalRunIsRefused(t *testing.T) {
	intrude(t, func(i *intruder) {
		close(i.finish)
		for n, id := range []string{"", "..", "a..b", "a\nb", "}:run", strings.Repeat("r", 1<<20)} {
			i.sign(i.queue, fmt.Sprint(n), id, queue.Item{Stage: 3, Attempt: 1})
		}
		time.Sleep(time.Minute)
		i.tells("s started, s succeeded")
		info, err := i.look.GetQueueInfo(inRedis)
		i.must(err)
		if info.Size != 0 {
			i.Errorf("still in the queue: %+v", info)
		}
		for _, k := range i.mini.Keys() {
			if strings.HasPrefix(k, "godags:{") && !strings.HasPrefix(k, "godags:{"+string(run)+"}:") {
				i.Errorf("a key of an illegal run: %.100q", k)
			}
		}
	})
}

func TestAStageThatTheSpecDoesNotHaveIsLeftOut(t *testing.T) {
	intrude(t, func(i *intruder) {
		close(i.finish)
		i.tells("s started, s succeeded")
		i.sign(i.queue, "1", string(run), queue.Item{Stage: 1 << 30, Attempt: 1}, queue.Item{Stage: 3, Attempt: 1}, queue.Item{Stage: 3, Attempt: 2})
		i.tells("s started, s succeeded, x started, x succeeded")
	})
}

// Small outputs are in Redis as they are. Neither a changed one, nor one of another stage, is given to a stage.
func TestAnOutputThatWasChangedInRedisIsNotRead(t *testing.T) {
	for name, forge := range map[string]func(x, y string) string{
		"another value":                     func(x, _ string) string { return strings.Replace(x, "1", "2", 1) },
		"another value, without a tag":      func(string, string) string { return "vjson\n2" },
		"that of another stage":             func(_, y string) string { return y },
		"a reference, with the tag of this": func(x, _ string) string { return `r{"name":"k","size":1}` + x[len(x)-seal.TagSize:] },
		"nothing":                           func(string, string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(_ *world, ctx context.Context, s *tasks.Stage) error {
				s.Values.SetOutput([]byte("json\n1"))
				for _, dep := range s.After {
					if _, err := s.Values.Output(ctx, dep); err != nil {
						return err
					}
				}
				return nil
			}, func(w *world) {
				w.send("1", "x", 1)
				w.tells("x started, x succeeded")
				w.send("2", "y", 1)
				w.tells("x started, x succeeded, y started, y succeeded")
				x, _ := w.spec.Graph.Lookup("x")
				y, _ := w.spec.Graph.Lookup("y")
				w.mini.HSet("godags:{r}:out", fmt.Sprint(x), forge(w.mini.HGet("godags:{r}:out", fmt.Sprint(x)), w.mini.HGet("godags:{r}:out", fmt.Sprint(y))))
				w.send("3", "after x", 1)
				w.tells("x started, x succeeded, y started, y succeeded, after x started, after x failed")
				if _, last := w.records(); !strings.Contains(last.Text, `stage "x": run r: the recorded output was changed in Redis`) {
					t.Error(last.Text)
				}
			})
		})
	}
}
