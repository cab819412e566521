package queue

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/version"
)

// whole has every field of a task.
var whole = Batch{
	Format: 1, Run: "nightly", Pipeline: "p", Incarnation: "i", Digest: "d", After: "1796077549202-1", Hops: 2,
	Items: []Item{
		{Stage: 3, Attempt: 1, Deps: EncodeSucceeded(3, func(i int) dag.Attempt { return dag.Attempt(2 * i) })},
		{Stage: 70, Attempt: 65535, Of: 4, Index: 9, List: "1796077549202-0"},
		{Stage: 4, Attempt: 1, First: 61, Count: 10},
	},
}

// The file was written by the first godags with this format, and is never changed. See
// version.Format.
func TestFormat1_TasksAreReadByEveryBuild(t *testing.T) {
	payload, err := os.ReadFile("testdata/format-1.task")
	if err != nil {
		t.Fatal(err)
	}
	body, err := verifyTask(key(t), "default@key:test", []byte(strings.TrimSuffix(string(payload), "\n")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeBatch(body)
	if err != nil || !reflect.DeepEqual(got, whole) {
		t.Errorf("decoded %+v, %v; want %+v", got, err, whole)
	}
}

func TestDecodeBatch_RefusesWhatANewerGodagsWrote(t *testing.T) {
	const unknown = "written by a newer godags (format 2 or later); this one reads format 1: upgrade this program"
	for object, want := range map[string]string{
		`{"format":8,"run":"r"}`:                             "written by a newer godags (format 8); this one reads format 1: upgrade this program",
		`{"format":8,"run":["r"],"items":{}}`:                "written by a newer godags (format 8); this one reads format 1: upgrade this program",
		`{"format":1,"run":"r","pool":"gpu"}`:                unknown,
		`{"format":1,"run":"r","items":[{"stage":1,"a":1}]}`: unknown,
	} {
		body, err := verifyTask(key(t), "q", signTask(key(t), "q", []byte(object)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = decodeBatch(body)
		if !errors.Is(err, version.ErrNewer) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", object, err, want)
		}
	}
	for _, object := range []string{`{"format":1,"run":7}`, `{"format":"1"}`, `[]`, `{"format":1,"run":"r"} {}`} {
		if _, err := decodeBatch([]byte(object)); err == nil || errors.Is(err, version.ErrNewer) {
			t.Errorf("%s: %v, want an error that does not speak of a newer format", object, err)
		}
	}
}

// lines keeps what a server logs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startServer takes tasks from the queue "q" of a run until the test ends.
func startServer(t *testing.T, rdb redis.UniversalClient, log *lines, handle func(Batch) error) {
	t.Helper()
	s := NewServer(rdb, ServerConfig{Queues: []string{"q"}, Run: "run", Key: key(t), Slots: 1,
		Handle: func(_ context.Context, b Batch, freeSlot func()) error {
			defer freeSlot()
			return handle(b)
		},
		Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute until %s", what)
		}
	}
}

// A stage of a newer godags must neither fail nor get lost: another worker may read its task.
func TestServer_ReturnsATaskThatItCannotRead(t *testing.T) {
	redis := redistest.Start(t)
	client := NewClient(redis.Client(), key(t)).ForRun("run")
	var log lines
	startServer(t, redis.Client(), &log, func(b Batch) error { t.Errorf("executed %+v", b); return nil })

	payload := signTask(key(t), client.name("q"), []byte(`{"format":8,"tasks":"of a form that is not known here"}`))
	_, err := client.client.Enqueue(asynq.NewTask("p/a", payload), asynq.Queue(client.name("q")), asynq.TaskID("run:a:1"))
	if err != nil {
		t.Fatal(err)
	}
	pending := func() map[string]bool {
		ids, err := client.RequeuedAttempts("q")
		if err != nil {
			t.Error(err)
		}
		return ids
	}
	await(t, "the task is in its queue again", func() bool { return pending()["run:a:1"] })
	await(t, "it was taken again", func() bool { return !pending()["run:a:1"] })
	await(t, "it is in its queue once more, under the ID of its first attempt", func() bool { return pending()["run:a:1"] })

	want := "written by a newer godags (format 8); this one reads format 1: upgrade this program"
	if n := strings.Count(log.String(), want); n != 1 || strings.Contains(log.String(), "refused") {
		t.Errorf("the log says so %d times, want once:\n%s", n, log.String())
	}
	info, err := client.inspect.GetQueueInfo(client.name("q"))
	if err != nil || info.Archived+info.Retry != 0 {
		t.Errorf("%+v, %v; want nothing archived or to be retried", info, err)
	}
}

func TestServer_ReturnsATaskUntilAWorkerCanExecuteIt(t *testing.T) {
	redis := redistest.Start(t)
	client := NewClient(redis.Client(), key(t)).ForRun("run")
	var older, newer lines
	refused := make(chan struct{}, 100)
	executed := make(chan Batch, 100)
	startServer(t, redis.Client(), &older, func(Batch) error {
		refused <- struct{}{}
		return version.CheckFormat(version.Format + 1) // as for a spec that it cannot read
	})
	if err := client.EnqueueAll(t.Context(), "q", task("run:a:1")); err != nil {
		t.Fatal(err)
	}
	<-refused
	startServer(t, redis.Client(), &newer, func(b Batch) error { executed <- b; return nil })
	if b := <-executed; b.Run != "run" || b.Format != version.Format {
		t.Errorf("executed %+v", b)
	}
	if newer.String() != "" {
		t.Error(newer.String())
	}
}
