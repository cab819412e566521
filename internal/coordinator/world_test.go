package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/spec"
)

// world is a driver in a bubble of simulated time, with a real journal on miniredis. The test plays
// the workers.
type world struct {
	*testing.T
	rdb     *redis.Client
	journal *journal.Journal
	fleet   *fleet.Fleet
	queue   *fakeQueue
	dead    chan string
	hurry   chan struct{}
	spec    *spec.Spec
	digest  string
	run     journal.RunID
	tokens  map[journal.AttemptID]journal.Token
	done    chan error
	stop    context.CancelCauseFunc
	served  []fleet.Unschedulable
	mu      sync.Mutex
	bundles bool // of several stages are allowed

	patience time.Duration // with stages that no worker can execute
}

// fakeQueue keeps bundles for the test to take. What is in it is pending.
type fakeQueue struct {
	mu      sync.Mutex
	bundles map[string]queue.Batch // by task id
	order   []string
	failing bool
	paused  string
}

func (q *fakeQueue) Paused(string) (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.paused, nil
}

func (q *fakeQueue) EnqueueAll(_ context.Context, _ string, tasks ...queue.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing {
		return errors.New("the queue is unreachable")
	}
	for _, t := range tasks {
		if _, there := q.bundles[t.ID]; !there {
			q.bundles[t.ID] = t.Batch
			q.order = append(q.order, t.ID)
		}
	}
	return nil
}

func (q *fakeQueue) Pending(_, id string) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, there := q.bundles[id]
	return there, nil
}

func (q *fakeQueue) RequeuedAttempts(string) (map[string]bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := make(map[string]bool)
	for id := range q.bundles {
		first[queue.RequeuedAttempt(id)] = true
	}
	return first, nil
}

func (q *fakeQueue) Remove(_, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.bundles, id)
	q.order = slices.DeleteFunc(q.order, func(other string) bool { return other == id })
	return nil
}

// take removes everything from the queue and returns the ids of the tasks.
func (q *fakeQueue) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := q.order
	q.order, q.bundles = nil, make(map[string]queue.Batch)
	return ids
}

// pipeline reads "b: a" as b after a. A stage can name its queue: "b@gpu: a".
func pipeline(t *testing.T, text string) *spec.Spec {
	b := &spec.Builder{Name: "p"}
	for line := range strings.SplitSeq(strings.TrimSpace(text), ";") {
		name, after, _ := strings.Cut(line, ":")
		name, queue, _ := strings.Cut(strings.TrimSpace(name), "@")
		b.Add(name, strings.Fields(after), spec.Kind{Task: "noop", Queue: queue})
	}
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func simulate(t *testing.T, graph string, test func(w *world)) { simulateWith(t, false, graph, test) }

func simulateBundles(t *testing.T, graph string, test func(w *world)) {
	simulateWith(t, true, graph, test)
}

func simulateWith(t *testing.T, bundles bool, graph string, test func(w *world)) {
	simulated(t, pipeline(t, graph), bundles, test)
}

func simulated(t *testing.T, sp *spec.Spec, bundles bool, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		rdb := redistest.Mini(t)
		w := &world{T: t, rdb: rdb, journal: journal.New(rdb), fleet: fleet.New(rdb), dead: make(chan string), hurry: make(chan struct{}), run: "r", bundles: bundles,
			queue: &fakeQueue{bundles: make(map[string]queue.Batch)}, spec: sp, tokens: make(map[journal.AttemptID]journal.Token)}
		encoded, err := w.spec.Encode()
		w.must(err)
		w.digest = spec.Digest(encoded)
		epoch, err := w.journal.Submit(t.Context(), journal.Submission{Run: w.run, Pipeline: "p", Stages: w.spec.Graph.Len(),
			Digest: w.digest, Spec: encoded, Coordinator: "c1", Lease: Lease})
		w.must(err)
		w.beat("w1", "default")
		w.drive("c1", epoch)
		test(w)
		w.stop(errors.New("the test is over"))
		<-w.done
		time.Sleep(time.Minute) // simulated: what still blocks ends
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) drive(id string, epoch int64) {
	most := 1
	if w.bundles {
		most = 8
	}
	ctx, stop := context.WithCancelCause(w.Context())
	w.done, w.stop = make(chan error, 1), stop
	done := w.done
	go func() {
		_, err := Drive(ctx, Config{ID: id, Journal: w.journal, Fleet: w.fleet, Queue: w.queue, Logger: slog.New(slog.DiscardHandler), Grace: 10 * time.Second, MaxBatch: most,
			NoWorker: w.patience, Dead: w.dead, Hurry: w.hurry, Unschedulable: func(u []fleet.Unschedulable) { w.mu.Lock(); w.served = u; w.mu.Unlock() }}, Run{ID: w.run, Spec: w.spec, Digest: w.digest, Epoch: epoch})
		done <- err
	}()
}

// pass lets simulated time go by.
func (w *world) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

func (w *world) beat(worker string, queues ...string) {
	w.must(w.fleet.Heartbeat(w.Context(), fleet.Worker{ID: worker, Queues: queues, Slots: 1}))
}

// keepAlive lets time go by with the worker alive.
func (w *world) keepAlive(worker string, d time.Duration) {
	for ; d > 0; d -= fleet.HeartbeatInterval {
		w.beat(worker, "default")
		w.pass(fleet.HeartbeatInterval)
	}
}

// sent expects that these tasks, and no others, are handed to the queue soon, and takes them.
func (w *world) sent(want ...string) {
	w.Helper()
	w.pass(time.Millisecond)
	got := w.queue.take()
	for i, id := range want {
		want[i] = "r:" + strings.Replace(id, "#", ":", 1)
	}
	slices.Sort(got)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		w.Fatalf("sent %v, want %v", got, want)
	}
}

func (w *world) attempt(name string, attempt int) journal.AttemptID {
	id, ok := w.spec.Graph.Lookup(name)
	if !ok {
		w.Fatalf("no stage %q", name)
	}
	return journal.AttemptID{Stage: id, Attempt: dag.Attempt(attempt)}
}

func (w *world) claim(worker, name string, attempt int) bool {
	w.Helper()
	a, token := w.attempt(name, attempt), journal.NewToken()
	yes, err := w.journal.Claim(w.Context(), journal.Claim{Run: w.run, Digest: w.digest, Worker: worker, Token: token}, []journal.AttemptID{a})
	w.must(err)
	if yes[0] {
		w.tokens[a] = token
	}
	return yes[0]
}

func (w *world) report(name string, attempt int, typ journal.Type) bool {
	w.Helper()
	a := w.attempt(name, attempt)
	yes, err := w.journal.Report(w.Context(), journal.Claim{Run: w.run, Worker: "w1", Token: w.tokens[a]}, []journal.Outcome{
		{Record: journal.Record{Type: typ, Stage: a.Stage, Attempt: a.Attempt, Text: "text"}}})
	w.must(err)
	return yes[0]
}

// does is a worker that executes a stage at once.
func (w *world) does(name string, attempt int) {
	w.Helper()
	if !w.claim("w1", name, attempt) || !w.report(name, attempt, journal.StageSucceeded) {
		w.Fatalf("%s#%d was refused", name, attempt)
	}
}

// story returns the journal as text.
func (w *world) story() string {
	entries, err := w.journal.Read(w.Context(), w.run, journal.Start, 0)
	w.must(err)
	var words []string
	for _, e := range entries {
		for _, r := range e.Records {
			word := strings.TrimPrefix(r.Type.String(), "stage.")
			if _, ofStage := r.Event(); ofStage && r.Type != journal.RunFinished && r.Type != journal.RunCancelling {
				word = fmt.Sprintf("%s.%s", w.spec.Graph.Name(r.Stage), word)
			}
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func (w *world) ends(want error) {
	w.Helper()
	select {
	case err := <-w.done:
		if !errors.Is(err, want) {
			w.Fatalf("the driver ended with %v, want %v", err, want)
		}
		w.done <- err
	case <-time.After(time.Minute):
		w.Fatalf("the driver goes on: %s", w.story())
	}
}
