package worker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/internal/worker/execution"
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

// sign puts a task into a queue, signed with the key of a client.
func (i *intruder) sign(signer *queue.Client, id, run string, items ...queue.Item) {
	i.Helper()
	i.must(signer.EnqueueAll(i.Context(), "default", queue.Task{ID: id, Label: "x", Batch: queue.Batch{Run: run, Pipeline: "p", Incarnation: incarnation, Digest: i.digest, Items: items}}))
}

// refused waits until the worker has archived so many tasks, within a simulated minute.
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

func TestTask_IsRefusedIfForged(t *testing.T) {
	intrude(t, func(i *intruder) {
		i.sendBatch("good", 1, "x", "y")
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
		// a user with another key writes into the worker's queue
		stranger := queue.NewClient(i.rdb, otherKey).ForRun("key:" + key.Fingerprint())
		i.sign(stranger, "stranger", string(run), queue.Item{Stage: 3, Attempt: 1})
		close(i.finish)
		i.refused(len(forgeries) + 1)
		i.tells("s started, s succeeded")
		i.sendBatch("good", 1, "x", "y")
		i.tells("s started, s succeeded, x started, y started, x succeeded, y succeeded")
	})
}

// A copy of a task has a good signature, so only its claims are refused.
func TestTask_DoesNothingIfReplayed(t *testing.T) {
	intrude(t, func(i *intruder) {
		i.sendBatch("good", 1, "x", "y")
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

func TestSpec_IsRefusedIfChangedInRedis(t *testing.T) {
	intrude(t, func(i *intruder) {
		// as in a worker that has not loaded the spec yet
		i.worker.executor = execution.NewExecutor(i.worker.executor.Config)
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

func TestTask_IsRefusedForAnIllegalRun(t *testing.T) {
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

func TestTask_LeavesOutUnknownStages(t *testing.T) {
	intrude(t, func(i *intruder) {
		close(i.finish)
		i.tells("s started, s succeeded")
		i.sign(i.queue, "1", string(run), queue.Item{Stage: 1 << 30, Attempt: 1}, queue.Item{Stage: 3, Attempt: 1}, queue.Item{Stage: 3, Attempt: 2})
		i.tells("s started, s succeeded, x started, x succeeded")
	})
}

// Small outputs are recorded in Redis. A stage reads neither a changed one nor one of another
// stage.
func TestOutput_IsRefusedIfChangedInRedis(t *testing.T) {
	for name, forge := range map[string]func(x, y string) string{
		"another value":                     func(x, _ string) string { return strings.Replace(x, "1", "2", 1) },
		"another value, without a tag":      func(string, string) string { return "vjson\n2" },
		"that of another stage":             func(_, y string) string { return y },
		"a reference, with the tag of this": func(x, _ string) string { return `r{"name":"k","size":1}` + x[len(x)-sign.TagSize:] },
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

// A message names its queue, and can be put into any other.
func TestTask_IsRefusedFromAnotherQueue(t *testing.T) {
	intrude(t, func(i *intruder) {
		const foreign = "gpu@key:"
		gpu := strings.Replace(inRedis, "default@key:", foreign, 1)
		item := queue.Item{Stage: i.id("x"), Attempt: 1}
		i.must(i.queue.EnqueueAll(i.Context(), "gpu", queue.Task{ID: "id", Label: "x",
			Batch: queue.Batch{Run: string(run), Pipeline: "p", Incarnation: incarnation, Digest: i.digest, Items: []queue.Item{item}}}))
		i.must(i.rdb.Copy(i.Context(), "asynq:{"+gpu+"}:t:id", "asynq:{"+inRedis+"}:t:id", 0, false).Err())
		i.must(i.rdb.LPush(i.Context(), "asynq:{"+inRedis+"}:pending", "id").Err())
		close(i.finish)
		i.tells("s started, s succeeded")
		time.Sleep(time.Minute)
		i.tells("s started, s succeeded")
		i.send("x", "x", 1) // the worker continues
		i.tells("s started, s succeeded, x started, x succeeded")
	})
}

// The journal is not signed, and the number of instances follows from it.
func TestGather_RefusesAPartialList(t *testing.T) {
	for n, deps := range map[int]queue.SucceededAttempts{0: nil, 2: succeeded(1, 0)} {
		simulate(t, listing, func(w *world) {
			w.send("t", "list", 1)
			w.expect("started succeeded")
			each, first := w.id("each"), dag.StageID(w.spec.Graph.Len())
			w.items("u", queue.Item{Stage: first, Attempt: 1, Of: each, List: "1-0"})
			w.expect("started succeeded started succeeded")
			item := queue.Item{Stage: each, Attempt: 1, First: first, Count: n, Deps: deps}
			if n > 0 {
				item.List = "1-0"
			}
			w.items("v", item)
			if r := w.expect("started succeeded started succeeded started failed"); !strings.Contains(r.Text, fmt.Sprintf("(%d instances, and 3 elements)", n)) {
				t.Error(r.Text)
			}
		})
	}
}

// The absence of an output is signed where dependents behave differently without it.
func TestOutput_AbsenceIsSignedWhereItMatters(t *testing.T) {
	silent := func(_ *world, _ context.Context, s *tasks.Stage) error { return nil }
	simulate(t, silent, func(w *world) {
		w.send("1", "cell 1", 1)
		w.expect("started succeeded")
		w.send("2", "s", 1) // no dependent asks
		w.expect("started succeeded started succeeded")
		if got := w.outputs(w.id("cell 1"), w.id("s")); got[0] != string(values.None()) || got[1] != "" {
			t.Errorf("recorded %q", got)
		}
		w.items("3", queue.Item{Stage: w.id("cells"), Attempt: 1, Deps: succeeded(0, 1)})
		w.expect("started succeeded started succeeded started succeeded")
		if got := w.outputs(w.id("cells")); got[0] != "vjson\n[null,null]" {
			t.Errorf("gathered %q", got)
		}
	})
}

// A deleted output is not the same as no output.
func TestOutput_IsRefusedIfDeleted(t *testing.T) {
	simulate(t, listing, func(w *world) {
		w.send("t", "list", 1)
		w.expect("started succeeded")
		w.mini.HDel("godags:{r}:out", fmt.Sprint(w.id("list")))
		w.send("u", "long", 1) // its condition reads the list
		w.tells("list started, list succeeded, long started, long failed")
		if _, last := w.records(); !strings.Contains(last.Text, "it was deleted") {
			t.Error(last.Text)
		}
	})
}

// signed is what the signature of an output covers.
type signed struct {
	origin   values.Origin
	producer values.Producer
	attempt  dag.Attempt
}

// Workers with the key have signed other outputs. A stage reads none of these in place of its
// input.
func TestOutput_IsRefusedFromElsewhere(t *testing.T) {
	for name, change := range map[string]func(*signed){
		"an earlier run of the same ID": func(s *signed) { s.origin.Incarnation = "before" },
		"a run of another pipeline":     func(s *signed) { s.origin.Digest = "other" },
		"another run":                   func(s *signed) { s.origin.Run = "other" },
		"another stage":                 func(s *signed) { s.producer.Stage++ },
		"an instance":                   func(s *signed) { s.producer.Of++ },
		"another element":               func(s *signed) { s.producer.Index++ },
		"another attempt":               func(s *signed) { s.attempt++ },
		"itself":                        nil,
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(_ *world, ctx context.Context, s *tasks.Stage) error {
				for _, dep := range s.After {
					if _, err := s.Values.Output(ctx, dep); err != nil {
						return err
					}
				}
				return nil
			}, func(w *world) {
				w.send("1", "x", 1)
				w.tells("x started, x succeeded")
				s := signed{w.origin(), values.Producer{Stage: w.id("x"), Of: w.id("x")}, 1}
				want := "succeeded"
				if change != nil {
					change(&s)
					want = "failed"
				}
				w.mini.HSet("godags:{r}:out", fmt.Sprint(w.id("x")), string(values.Sign(key, s.origin, s.producer, s.attempt, []byte("vjson\n1"))))
				w.send("2", "after x", 1)
				w.tells("x started, x succeeded, after x started, after x " + want)
			})
		})
	}
}

// If the task says that the second attempt succeeded, the output of the first is refused.
func TestOutput_IsThatOfTheSuccessfulAttempt(t *testing.T) {
	for attempt, want := range map[dag.Attempt]string{0: "failed", 1: "failed", 2: "succeeded"} {
		simulate(t, func(_ *world, ctx context.Context, s *tasks.Stage) error {
			s.Values.SetOutput([]byte("json\n1"))
			for _, dep := range s.After {
				if _, err := s.Values.Output(ctx, dep); err != nil {
					return err
				}
			}
			return nil
		}, func(w *world) {
			w.send("1", "x", 2)
			w.tells("x started, x succeeded")
			w.items("2", queue.Item{Stage: w.id("after x"), Attempt: 1, Deps: succeeded(attempt)})
			w.tells("x started, x succeeded, after x started, after x " + want)
		})
	}
}

// A stage reads no value by key that was changed, moved to another key, or kept from an earlier
// run.
func TestNamedValue_IsRefusedIfNotOfThisRun(t *testing.T) {
	for name, forge := range map[string]func(w *world) []byte{
		"nothing changed": nil,
		"another name":    func(w *world) []byte { return values.SignNamed(key, w.origin(), "other", []byte("json\n1")) },
		"unsigned":        func(*world) []byte { return []byte("json\n2") },
		"an earlier run": func(w *world) []byte {
			earlier := w.origin()
			earlier.Incarnation = "before"
			return values.SignNamed(key, earlier, "name", []byte("json\n1"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(_ *world, ctx context.Context, s *tasks.Stage) error {
				if s.Name == "x" {
					return s.Values.Put(ctx, "name", []byte("json\n1"))
				}
				value, err := s.Values.Get(ctx, "name")
				if err == nil && string(value) != "json\n1" {
					err = fmt.Errorf("got %q", value)
				}
				return err
			}, func(w *world) {
				w.send("1", "x", 1)
				w.tells("x started, x succeeded")
				want := "succeeded"
				if forge != nil {
					w.must(cache.Redis(w.client).Put(w.Context(), cache.Key{Run: string(run), Name: "key/name"}, forge(w)))
					want = "failed"
				}
				w.send("2", "y", 1)
				w.tells("x started, x succeeded, y started, y " + want)
			})
		})
	}
}
