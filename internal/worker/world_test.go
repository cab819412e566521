package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// world is a worker with one slot in a bubble of simulated time, on Asynq and miniredis. The test
// plays the coordinator.
type world struct {
	*testing.T
	mini         *miniredis.Miniredis
	client       *redis.Client // of the journal
	said         lines
	journal      *journal.Journal
	fleet        *fleet.Fleet
	queue        *queue.Client
	worker       *Worker
	spec         *spec.Spec
	digest       string
	drain, abort context.CancelFunc
	done         chan error
	running      chan *tasks.Stage // for handlers: see blocking
	finish       chan struct{}
	stopped      chan time.Time
}

// lines counts the lines that the worker has logged.
type lines struct{ atomic.Int64 }

func (l *lines) Write(p []byte) (int, error) {
	l.Add(1)
	return len(p), nil
}

// handler executes the task "task". Channels must be made inside the bubble, so it uses those of
// the world.
type handler func(w *world, ctx context.Context, s *tasks.Stage) error

const (
	run         = journal.RunID("r")
	incarnation = "first"
)

var key, otherKey = keyOf("the key of these tests"), keyOf("the key of another user")

func keyOf(text string) sign.Key {
	k, err := sign.Parse(text)
	if err != nil {
		panic(err)
	}
	return k
}

// inRedis is the name of the worker's queue in Redis.
var inRedis = "default@key:" + key.Fingerprint()

// compress makes the compressor of values, of which the process has one. It would otherwise belong
// to the bubble of the first test that needs it.
var compress = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "worker")
	if err != nil {
		return err
	}
	key := cache.Key{Run: string(run), Name: "large"}
	return errors.Join(cache.Disk(dir).Put(context.Background(), key, make([]byte, 2*values.MaxInline)), os.RemoveAll(dir))
})

func simulate(t *testing.T, h handler, test func(w *world)) {
	if err := compress(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, mini: miniredis.NewMiniRedis(), done: make(chan error, 1),
			running: make(chan *tasks.Stage, 1), finish: make(chan struct{}), stopped: make(chan time.Time, 10)}
		defer w.mini.Close()
		ours, its := w.connect(), w.connect()
		defer ours.Close()
		defer its.Close()
		w.client = ours
		w.journal, w.fleet, w.queue = journal.New(ours), fleet.New(ours), queue.NewClient(ours, key)
		registry := tasks.NewRegistry()
		b := &spec.Builder{Name: "p"}
		b.Add("s", nil, spec.Kind{Task: "task"})
		b.Add("unknown", nil, spec.Kind{Task: "an unknown task"})
		b.Add("join", []string{"s"}, spec.Kind{})
		for _, name := range []string{"x", "y", "z"} {
			b.Add(name, nil, spec.Kind{Task: "task"})
		}
		b.Add("after x", []string{"x"}, spec.Kind{Task: "task"})
		known := spec.Policy{Secrets: []string{"DB_PASSWORD"}}
		b.Add("told", nil, spec.Kind{Task: "task", Policy: known})
		b.Add("command", nil, spec.Kind{Task: "command", Params: json.RawMessage(tellingCommand), Policy: known})
		withRules(b)
		err := registry.Register("task", tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error { return h(w, ctx, s) }))
		w.must(err)
		w.spec, err = b.Build()
		w.must(err)
		encoded, err := w.spec.Encode()
		w.must(err)
		w.digest = spec.Digest(encoded)
		_, err = w.journal.Submit(t.Context(), journal.Submission{Run: run, Pipeline: "p", Stages: w.spec.Graph.Len(), Incarnation: incarnation, Digest: w.digest, Spec: encoded, Coordinator: "c", Lease: time.Hour})
		w.must(err)
		w.worker = New(Config{Info: fleet.Worker{ID: "w", Queues: []string{"default"}, Slots: 1}, Client: its, Journal: w.journal, Fleet: w.fleet, Queue: w.queue, Key: key,
			Registry: registry, Stores: values.NewStores(ours, nil), Logger: slog.New(slog.NewTextHandler(&w.said, nil))})
		w.start()
		defer func() {
			w.mini.SetError("")
			w.drain()
			w.abort()
			if err := <-w.done; err != nil {
				t.Error(err)
			}
			// simulated time, in which sleeping goroutines of go-redis end
			time.Sleep(time.Minute)
		}()
		test(w)
	})
}

func (w *world) connect() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Protocol: 2,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return w.mini.Dial() }})
}

// origin is the origin of the outputs of the run.
func (w *world) origin() values.Origin {
	return values.Origin{Run: run, Incarnation: incarnation, Digest: w.digest}
}

// outputs returns the recorded outputs; "" for none.
func (w *world) outputs(stages ...dag.StageID) []string {
	w.Helper()
	recorded, err := w.journal.Outputs(w.Context(), run, stages...)
	w.must(err)
	list := make([]string, len(recorded))
	for i, signed := range recorded {
		list[i] = string(values.Strip(signed))
	}
	return list
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) start() {
	var drain, abort context.Context
	drain, w.drain = context.WithCancel(context.Background())
	abort, w.abort = context.WithCancel(context.Background())
	ready := make(chan struct{})
	go func() { w.done <- w.worker.Run(drain, abort, func() { close(ready) }) }()
	<-ready
}

// send sends an attempt.
func (w *world) send(id, stage string, attempt dag.Attempt) {
	w.Helper()
	w.sendBatch(id, attempt, stage)
}

// sendBatch sends attempts of several stages as one task.
func (w *world) sendBatch(id string, attempt dag.Attempt, stages ...string) {
	w.Helper()
	task := queue.Batch{Run: string(run), Pipeline: "p", Incarnation: incarnation, Digest: w.digest}
	for _, name := range stages {
		s, ok := w.spec.Graph.Lookup(name)
		if !ok {
			w.Fatal(name)
		}
		task.Items = append(task.Items, queue.Item{Stage: s, Attempt: attempt})
	}
	w.must(w.queue.EnqueueAll(w.Context(), "default", queue.Task{ID: id, Label: queue.Label(len(stages), stages[0]), Batch: task}))
}

// story returns the records about stages, with the names of the stages.
func (w *world) story() string {
	w.Helper()
	entries, err := w.journal.Read(w.Context(), run, journal.Start, 0)
	w.must(err)
	var words []string
	for _, e := range entries {
		for _, r := range e.Records {
			if strings.HasPrefix(r.Type.String(), "stage.") {
				words = append(words, w.spec.Graph.Name(r.Stage)+" "+strings.TrimPrefix(r.Type.String(), "stage."))
			}
		}
	}
	return strings.Join(words, ", ")
}

// expectInAnyOrder is for stages of different batches: one is reported while the next is started.
func (w *world) expectInAnyOrder(want ...string) {
	w.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		words, _ := w.records()
		got := strings.Fields(words)
		if slices.Sort(got); slices.Equal(got, want) {
			return
		}
		if time.Since(begin) > time.Minute {
			w.Fatalf("the journal says %q, want %q", got, want)
		}
	}
}

// tells waits until the journal has these records, within a simulated minute.
func (w *world) tells(want string) {
	w.Helper()
	for begin := time.Now(); w.story() != want; time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			w.Fatalf("the journal tells\n%s, want\n%s", w.story(), want)
		}
	}
}

// records returns the types of the records about stages, and the last record.
func (w *world) records() (words string, last journal.Record) {
	w.Helper()
	entries, err := w.journal.Read(w.Context(), run, journal.Start, 0)
	w.must(err)
	for _, e := range entries {
		for _, r := range e.Records {
			if r.Type != journal.RunSubmitted {
				words += " " + strings.TrimPrefix(r.Type.String(), "stage.")
				last = r
			}
		}
	}
	return strings.TrimSpace(words), last
}

// expect waits until the journal has records of these types, within a simulated minute.
func (w *world) expect(want string) journal.Record {
	w.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		words, last := w.records()
		if words == want {
			return last
		}
		if time.Since(begin) > time.Minute {
			w.Fatalf("the journal says %q, want %q", words, want)
		}
	}
}

func succeeding(_ *world, _ context.Context, s *tasks.Stage) error {
	_, err := s.Log.Write([]byte("first\nlast line\n"))
	s.Values.SetOutput([]byte("json\n1"))
	return err
}

// blocking says that it runs, waits until it is stopped, and says when that was.
func blocking(w *world, ctx context.Context, s *tasks.Stage) error {
	w.running <- s
	<-ctx.Done()
	w.stopped <- time.Now()
	return ctx.Err()
}

// blockingOrFinishing says that it runs. It succeeds when the test lets it, unless it is stopped
// before.
func blockingOrFinishing(w *world, ctx context.Context, s *tasks.Stage) error {
	w.running <- s
	select {
	case <-w.finish:
		return nil
	case <-ctx.Done():
		w.stopped <- time.Now()
		return ctx.Err()
	}
}

// finishing says that it runs, and succeeds when the test lets it.
func finishing(w *world, _ context.Context, s *tasks.Stage) error {
	w.running <- s
	<-w.finish
	return nil
}
