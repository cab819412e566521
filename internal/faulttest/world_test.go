package faulttest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/faulttest"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/internal/worker"
	"github.com/godags/godags/tasks"
)

// world is a run, of ten stages unless a test says otherwise, by a coordinator and two workers,
// each with separate connections to one miniredis, in a bubble of simulated time. Each has a
// supervisor, which starts another when it dies.
type world struct {
	*testing.T
	stages []faulttest.Stage
	do     func(w *world, ctx context.Context, s *tasks.Stage) error // what a stage does
	// stages of one kind are expected to take equally long
	kind    func(name string) int
	mini    *miniredis.Miniredis
	gate    *gate
	rdb     *redis.Client // that no fault concerns
	spec    *spec.Spec
	encoded []byte
	digest  string

	bound time.Duration // for the whole run, by the clock of Redis; 0 for any time
	took  time.Duration

	mu       sync.Mutex
	executed map[string]int // by stage: how often it came to its end in a process that lived
}

const (
	run = journal.RunID("r")
	// usual is the bound of the whole run, which takes less than two seconds without faults. The
	// longest way: a task that is lost on its way to a worker (3 s until that is noticed), and a
	// coordinator or worker that is dead (3 s to its lease, 4 s to the end of its heartbeats).
	usual = 15 * time.Second
)

func (w *world) key() sign.Key {
	k, err := sign.Parse("the key of these tests")
	w.must(err)
	return k
}

// stages: a chain, a fan whose stages are short enough for a bundle, a long one with output and
// log, and one behind all.
var stages = []faulttest.Stage{
	{Name: "load"},
	{Name: "chain_1", After: []string{"load"}}, {Name: "chain_2", After: []string{"chain_1"}}, {Name: "chain_3", After: []string{"chain_2"}},
	{Name: "fan_1", After: []string{"load"}}, {Name: "fan_2", After: []string{"load"}}, {Name: "fan_3", After: []string{"load"}}, {Name: "fan_4", After: []string{"load"}},
	{Name: "long", After: []string{"load"}},
	{Name: "report", After: []string{"chain_3", "fan_1", "fan_2", "fan_3", "fan_4", "long"}},
}

// simulate runs the ten stages with one fault and checks what became of them. It returns what
// happened.
func simulate(t *testing.T, seed uint64, target point, f fault, more ...func(*world)) (g *gate, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, stages: stages, do: (*world).usually, kind: func(string) int { return 0 },
			mini: miniredis.NewMiniRedis(), bound: usual, executed: make(map[string]int)}
		w.mini.ClockTTL(true)
		defer w.mini.Close()
		w.gate = newGate(seed, target, f)
		w.rdb = w.gate.actor("test").connect(w.mini)
		defer w.rdb.Close()
		for _, change := range more {
			change(w)
		}
		w.freeze()
		w.live()
		w.check()
		g, took = w.gate, w.took
	})
	return g, took
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) freeze() {
	b := &spec.Builder{Name: "ten"}
	for _, s := range w.stages {
		b.Add(s.Name, s.After, spec.Kind{Task: "work", Params: fmt.Appendf(nil, `{"kind":%d}`, w.kind(s.Name))})
	}
	var err error
	w.spec, err = b.Build()
	w.must(err)
	w.encoded, err = w.spec.Encode()
	w.must(err)
	w.digest = spec.Digest(w.encoded)
}

// live brings the run to its end, waits until its tasks are gone, and lets the workers leave.
func (w *world) live() {
	drain := make(chan struct{})
	var workers sync.WaitGroup
	for _, name := range []string{"w1", "w2"} {
		workers.Go(func() { w.keepWorker(name, drain) })
	}
	w.keepCoordinator()
	w.settle()
	close(drain)
	workers.Wait()
	time.Sleep(2 * time.Minute) // simulated: what still waits for an answer gives up
	close(w.gate.stop)
	<-w.gate.done
}

// settle waits for Asynq: a task that a worker had when it died is taken back when its lease has
// run out.
func (w *world) settle() {
	// Asynq takes up to two minutes
	for pause := 10 * time.Millisecond; pause < 2*time.Minute; pause *= 2 {
		time.Sleep(pause)
		left, err := faulttest.Leftovers(context.Background(), w.rdb, string(run))
		if err == nil && len(left) == 0 {
			return
		}
	}
}

// keepCoordinator starts one coordinator after the other until one has seen the end of the run.
func (w *world) keepCoordinator() {
	for i := 1; ; i++ {
		a := w.gate.actor(fmt.Sprintf("c%d", i))
		err := w.coordinate(a)
		if err == nil {
			return
		}
		if i == 5 {
			w.Fatalf("the run does not end: %v", err)
		}
	}
}

// coordinate submits the run, or resumes it if it exists, and drives it.
func (w *world) coordinate(a *actor) error {
	rdb := a.connect(w.mini)
	defer rdb.Close()
	rdb.AddHook(a)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		select {
		case <-a.dead:
			stop()
		case <-ctx.Done():
		}
	}()
	j := journal.New(rdb)
	epoch, err := j.Submit(ctx, journal.Submission{Run: run, Pipeline: w.spec.Name, Stages: len(w.stages), Digest: w.digest, Spec: w.encoded,
		Coordinator: a.name, Lease: coordinator.Lease})
	for errors.Is(err, journal.ErrExists) || errors.Is(err, journal.ErrFenced) {
		time.Sleep(coordinator.Lease / 10)
		epoch, err = j.Acquire(ctx, run, a.name, coordinator.Lease)
	}
	if err != nil {
		return err
	}
	_, err = coordinator.Drive(ctx, coordinator.Config{ID: a.name, Journal: j, Fleet: fleet.New(rdb), Queue: queue.NewClient(rdb, w.key()), Logger: slog.New(slog.DiscardHandler)},
		coordinator.Run{ID: run, Spec: w.spec, Digest: w.digest, Epoch: epoch})
	return err
}

// keepWorker starts one worker after the other until drain is closed, and lets the last one drain.
func (w *world) keepWorker(name string, drain <-chan struct{}) {
	for i := 1; i < 10; i++ {
		a := w.gate.actor(fmt.Sprintf("%s.%d", name, i))
		w.work(a, drain)
		select {
		case <-drain:
			return
		default:
		}
	}
	w.Errorf("%s does not stay alive", name)
}

func (w *world) work(a *actor, drain <-chan struct{}) {
	client, shared := a.connect(w.mini), a.connect(w.mini)
	defer client.Close()
	defer shared.Close()
	draining, stopTaking := context.WithCancel(context.Background())
	abort, stopNow := context.WithCancel(context.Background())
	defer stopTaking()
	defer stopNow()
	registry := tasks.NewRegistry()
	w.must(registry.Register("work", tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error { return w.execute(ctx, a, s) })))
	one := worker.New(worker.Config{Info: fleet.Worker{ID: a.name, Queues: []string{spec.DefaultQueue}, Slots: 1}, Client: client,
		Journal: journal.New(shared), Fleet: fleet.New(shared), Queue: queue.NewClient(shared, w.key()), Key: w.key(), Registry: registry, Stores: values.NewStores(shared, nil), Logger: slog.New(slog.DiscardHandler)})
	client.AddHook(a) // after the queue's own hook, and so between that and Redis
	shared.AddHook(a)
	ended := make(chan struct{})
	go func() {
		select {
		case <-a.dead:
			stopNow()
		case <-drain:
		case <-ended:
		}
		stopTaking()
	}()
	err := one.Run(draining, abort, nil)
	close(ended)
	if err != nil && !errors.Is(err, errFault) && !a.isDead() {
		w.Errorf("%s: %v", a.name, err)
	}
}

// execute executes a stage and counts how often that was done.
func (w *world) execute(ctx context.Context, a *actor, s *tasks.Stage) error {
	err := w.do(w, ctx, s)
	if ctx.Err() == nil && !a.isDead() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.executed[s.Name]++
	}
	return err
}

// usually is what the ten stages do: long takes its time, and they use what a stage can use of
// Redis.
func (w *world) usually(ctx context.Context, s *tasks.Stage) (err error) {
	takes := 100 * time.Microsecond
	switch s.Name {
	case "long":
		takes = 1200 * time.Millisecond
		fmt.Fprintln(s.Log, "it takes long")
		s.Values.SetOutput([]byte("result"))
	case "chain_2":
		err = s.Values.Put(ctx, "key", []byte("value"))
	case "report":
		err = w.read(ctx, s)
	}
	return errors.Join(err, sleep(ctx, takes))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *world) read(ctx context.Context, s *tasks.Stage) error {
	output, err := s.Values.Output(ctx, "long")
	value, err2 := s.Values.Get(ctx, "key")
	if err == nil && string(output) != "result" || err2 == nil && string(value) != "value" {
		w.Errorf("report reads %q and %q", output, value)
	}
	return errors.Join(err, err2)
}

// check applies the rules to what the run has left.
func (w *world) check() {
	ctx, j := context.Background(), journal.New(w.rdb)
	entries, err := j.Read(ctx, run, journal.Start, 0)
	w.must(err)
	var text []byte
	told := runstate.New(run, w.spec)
	for _, e := range entries {
		w.must(told.Apply(e))
		for _, event := range told.Events(e, nil) {
			text = event.Append(text)
		}
	}
	events, err := faulttest.Parse(string(text))
	w.must(err)
	state, err := runstate.Load(ctx, j, run, w.spec)
	w.must(err)
	trial := faulttest.Trial{Stages: w.stages, Events: events, Bound: w.bound, State: state.DAG.Outcome().String(), Reported: make(map[string]int)}
	for _, s := range []dag.State{dag.Succeeded, dag.Failed, dag.Skipped, dag.Cancelled} {
		trial.Reported[s.String()] = state.DAG.Count(s)
	}
	if w.gate.fired {
		trial.Faults = 1
	}
	for _, err := range faulttest.Check(trial) {
		w.Error(err)
	}
	w.took = events[len(events)-1].Time.Sub(events[0].Time)
	left, err := faulttest.Leftovers(ctx, w.rdb, string(run))
	w.must(err)
	for _, what := range left {
		w.Errorf("I6: orphaned: %s", what)
	}
	w.checkExecutions(trial)
	if w.Failed() {
		w.Logf("the journal:\n%s", text)
	}
}

func (w *world) checkExecutions(t faulttest.Trial) {
	skipped := 0
	for _, s := range w.stages {
		n := w.executed[s.Name]
		if n == 0 {
			skipped++
		}
		if n > 1+t.Faults {
			w.Errorf("I5: %s was executed %d times; there were %d faults", s.Name, n, t.Faults)
		}
	}
	if skipped != t.Reported["skipped"] {
		w.Errorf("I5: %d stages were never executed, %d were skipped", skipped, t.Reported["skipped"])
	}
	if t.Reported["failed"] == 0 && t.State != "succeeded" {
		w.Errorf("the run has %s", t.State)
	}
}
