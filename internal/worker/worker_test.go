package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/seal"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// world is a worker with one slot in a bubble of simulated time, on Asynq and miniredis. The test plays the coordinator.
type world struct {
	*testing.T
	mini         *miniredis.Miniredis
	journal      *journal.Journal
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

// handler is what the task "task" does. Channels must be made inside the bubble, so it uses those of the world.
type handler func(w *world, ctx context.Context, s *tasks.Stage) error

const run = journal.RunID("r")

var key, otherKey = keyOf("the key of these tests"), keyOf("the key of somebody else")

func keyOf(text string) seal.Key {
	k, err := seal.Parse(text)
	if err != nil {
		panic(err)
	}
	return k
}

// inRedis is the name that the worker's queue has in Redis.
var inRedis = "default@key:" + key.Fingerprint()

func simulate(t *testing.T, h handler, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, mini: miniredis.NewMiniRedis(), done: make(chan error, 1),
			running: make(chan *tasks.Stage, 1), finish: make(chan struct{}), stopped: make(chan time.Time, 10)}
		defer w.mini.Close()
		ours, its := w.connect(), w.connect()
		defer ours.Close()
		defer its.Close()
		w.journal, w.queue = journal.New(ours), queue.NewClient(ours, key)
		registry := tasks.NewRegistry()
		b := &spec.Builder{Name: "p"}
		b.Add("s", nil, spec.Kind{Task: "task"})
		b.Add("unknown", nil, spec.Kind{Task: "nobody knows it"})
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
		_, err = w.journal.Submit(t.Context(), journal.Submission{Run: run, Pipeline: "p", Stages: w.spec.Graph.Len(), Digest: w.digest, Spec: encoded, Coordinator: "c", Lease: time.Hour})
		w.must(err)
		w.worker = New(Config{Info: journal.WorkerInfo{ID: "w", Queues: []string{"default"}, Slots: 1}, Client: its, Journal: w.journal, Queue: w.queue, Key: key,
			Registry: registry, Stores: values.NewStores(ours, nil), Logger: slog.New(slog.DiscardHandler)})
		w.start()
		defer func() {
			w.mini.SetError("")
			w.drain()
			w.abort()
			if err := <-w.done; err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute) // simulated: goroutines of go-redis that sleep come to their end
		}()
		test(w)
	})
}

func (w *world) connect() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "127.0.0.1:0", Protocol: 2,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return w.mini.Dial() }})
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

// send hands an attempt to the queue.
func (w *world) send(id, stage string, attempt dag.Attempt) {
	w.Helper()
	w.bundle(id, attempt, stage)
}

// bundle hands attempts of several stages to the queue as one task.
func (w *world) bundle(id string, attempt dag.Attempt, stages ...string) {
	w.Helper()
	task := queue.Bundle{Run: string(run), Pipeline: "p", Digest: w.digest}
	for _, name := range stages {
		s, ok := w.spec.Graph.Lookup(name)
		if !ok {
			w.Fatal(name)
		}
		task.Items = append(task.Items, queue.Item{Stage: s, Attempt: attempt})
	}
	w.must(w.queue.EnqueueAll(w.Context(), "default", queue.Task{ID: id, Label: queue.Label(len(stages), stages[0]), Bundle: task}))
}

// story returns the journal with the stages' names.
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

// expectInAnyOrder is for stages of different bundles: one is reported while the next is begun.
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

// tells waits until the journal tells a story, within a simulated minute.
func (w *world) tells(want string) {
	w.Helper()
	for begin := time.Now(); w.story() != want; time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			w.Fatalf("the journal tells\n%s, want\n%s", w.story(), want)
		}
	}
}

// records returns what the journal says of stages, as words, and the last record.
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

// expect waits until the journal says so, within a simulated minute.
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

// blocking tells that it runs, waits for the end of its context, and tells when that came.
func blocking(w *world, ctx context.Context, s *tasks.Stage) error {
	w.running <- s
	<-ctx.Done()
	w.stopped <- time.Now()
	return ctx.Err()
}

// finishing tells that it runs, and succeeds when it is let.
func finishing(w *world, _ context.Context, s *tasks.Stage) error {
	w.running <- s
	<-w.finish
	return nil
}

func TestAStageIsExecutedAndRecorded(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		begin := time.Now()
		w.send("1", "s", 1)
		last := w.expect("started succeeded")
		if last.Note != "last line" {
			w.Errorf("note %q", last.Note)
		}
		if took := time.Since(begin); took > 100*time.Millisecond {
			w.Errorf("an idle worker took %s to pick it up", took)
		}
		log, err := w.journal.Log(w.Context(), run, journal.Attempted{Stage: 0, Attempt: 1})
		outputs, err2 := w.journal.Outputs(w.Context(), run, 0, 2)
		if err != nil || err2 != nil || string(log) != "first\nlast line\n" || string(outputs[0]) != "vjson\n1" || outputs[1] != nil {
			w.Errorf("%q %q %v %v", log, outputs, err, err2)
		}
	})
}

func TestAJoinPointNeedsNoHandler(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "join", 1)
		w.expect("started succeeded")
	})
}

func TestATaskThatIsDeliveredTwiceIsExecutedOnce(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "s", 1)
		w.send("2", "s", 1)
		w.send("3", "join", 1) // behind both
		w.expectInAnyOrder("started", "started", "succeeded", "succeeded")
	})
}

func TestABundleOfAnotherSpecIsDropped(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		right := w.digest
		w.digest = strings.Repeat("0", 64)
		w.send("1", "s", 1)
		w.digest = right
		w.send("2", "join", 1)
		w.expect("started succeeded")
		if pending, err := w.queue.Pending("default", "1"); pending || err != nil {
			w.Fatal("it is still there", err)
		}
	})
}

func TestNonsenseInTheQueueHarmsNobody(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		for i, b := range []queue.Bundle{{}, {Run: "..", Items: []queue.Item{{}}}, {Run: "gone", Items: []queue.Item{{}}},
			{Run: string(run), Digest: w.digest, Items: []queue.Item{{Stage: 99, Attempt: 1}}}, {Run: string(run), Digest: w.digest}} {
			w.must(w.queue.EnqueueAll(w.Context(), "default", queue.Task{ID: string(rune('a' + i)), Label: "x", Bundle: b}))
		}
		w.send("1", "s", 1)
		w.expect("started succeeded")
	})
}

func TestWhenTheRunIsCancelledTheStageStops(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		_, err := w.journal.RequestCancel(w.Context(), run, "enough")
		w.must(err)
		begin := time.Now()
		w.expect("started run.cancelling cancelled")
		if took := time.Since(begin); took > time.Second {
			w.Errorf("it took %s", took)
		}
	})
}

func TestAnAttemptThatWasReplacedStopsAndSaysNothing(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.must(w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.Revoke, Record: journal.Record{Type: journal.StageLost, Attempt: 1}}}))
		w.send("2", "s", 2)
		if s := <-w.running; s.Attempt != 2 { // the only slot is free again
			w.Fatal(s.Attempt)
		}
		w.expect("started lost started")
	})
}

func TestADrainingWorkerFinishesWhatItHoldsAndTakesNoMore(t *testing.T) {
	simulate(t, finishing, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.drain()
		w.send("2", "join", 1)
		time.Sleep(time.Minute)
		close(w.finish)
		w.must(<-w.done)
		w.expect("started succeeded")
		list, err := w.journal.Workers(w.Context())
		if err != nil || len(list) != 0 {
			w.Errorf("it is still listed: %v %v", list, err)
		}
		w.done <- nil
	})
}

func TestAWorkerThatMustStopAtOnceHandsBack(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.drain()
		w.abort()
		w.must(<-w.done)
		if last := w.expect("started lost"); last.Text != errHandBack.Error() {
			w.Error(last.Text)
		}
		w.done <- nil
	})
}

func TestAWorkerThatIsCutOffStopsItsStagesBeforeOthersStartThem(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		cut := time.Now()
		w.mini.SetError("LOADING no use")
		if after := (<-w.stopped).Sub(cut); after >= journal.WorkerTTL {
			w.Errorf("it stopped after %s; others start the stage after %s", after, journal.WorkerTTL)
		}
		w.mini.SetError("")
		if last := w.expect("started lost"); last.Text != errCutOff.Error() {
			w.Error(last.Text)
		}
	})
}

func TestAReportIsOfferedUntilRedisIsBack(t *testing.T) {
	simulate(t, finishing, func(w *world) {
		w.send("1", "s", 1)
		<-w.running
		w.mini.SetError("LOADING no use")
		close(w.finish)
		time.Sleep(20 * time.Second)
		w.mini.SetError("")
		w.expect("started succeeded")
	})
}

func TestTheLogOfARunningStageCanBeRead(t *testing.T) {
	simulate(t, blocking, func(w *world) {
		w.send("1", "s", 1)
		_, err := (<-w.running).Log.Write([]byte("so far\n"))
		w.must(err)
		time.Sleep(2 * journal.BeatEvery)
		log, err := w.journal.Log(w.Context(), run, journal.Attempted{Stage: 0, Attempt: 1})
		if err != nil || string(log) != "so far\n" {
			w.Fatalf("%q %v", log, err)
		}
	})
}

func TestHealthFollowsTheHeartbeat(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.must(w.worker.Healthy())
		w.mini.SetError("LOADING no use")
		time.Sleep(2 * journal.WorkerTTL)
		if err := w.worker.Healthy(); err == nil {
			w.Error("healthy without a heartbeat")
		}
		w.mini.SetError("")
		time.Sleep(2 * journal.BeatEvery)
		if err := w.worker.Healthy(); err != nil {
			w.Error(err)
		}
	})
}

// choosy does what the stage's name says: "x" blocks, the others succeed at once.
func choosy(w *world, ctx context.Context, s *tasks.Stage) error {
	if s.Name == "x" {
		return finishing(w, ctx, s)
	}
	return nil
}

func TestAllOfABundleIsExecutedInOrder(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.bundle("1", 1, "s", "x", "y", "join", "y") // the second y is nonsense
		w.tells("s started, s succeeded, x started, y started, x succeeded, y succeeded, join started, join succeeded")
	})
}

func TestInAChainAStageIsClaimedWhenTheOneBeforeItHasSucceeded(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded") // from now on the worker knows how short such stages are
		w.bundle("2", 1, "x", "after x", "y")
		w.tells("s started, s succeeded, x started, y started, x succeeded, after x started, after x succeeded, y succeeded")
	})
}

// chained does what the stage's name says: "after x" waits for the end of its context and then succeeds all the same, the others succeed at once.
func chained(w *world, ctx context.Context, s *tasks.Stage) error {
	if s.Name == "after x" {
		w.running <- s
		<-ctx.Done()
		w.stopped <- time.Now()
	}
	return nil
}

func TestALongStageOfAChainIsClaimedSoonAfterItsBeginning(t *testing.T) {
	simulate(t, chained, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.bundle("2", 1, "x", "after x")
		<-w.running
		begin := time.Now()
		w.tells("s started, s succeeded, x started, x succeeded, after x started")
		if took := time.Since(begin); took > 2*flushAfter {
			w.Errorf("it took %s", took)
		}
		time.Sleep(3 * journal.BeatEvery)
		if len(w.stopped) > 0 {
			w.Error("it was stopped")
		}
		w.must(w.cancel())
		w.tells("s started, s succeeded, x started, x succeeded, after x started, after x succeeded")
	})
}

func (w *world) cancel() error {
	_, err := w.journal.RequestCancel(w.Context(), run, "enough")
	return err
}

func TestAChainEndsWhereItsNextClaimIsRefused(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world) error{
		"the run is being cancelled": (*world).cancel,
		"the first stage was revoked": func(w *world) error {
			return w.journal.Decide(w.Context(), run, 1, []journal.Decision{{Kind: journal.Revoke, Record: journal.Record{Type: journal.StageLost, Stage: 3, Attempt: 1}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
				if s.Name == "x" { // claimed, and not yet reported: "after x" is begun before anybody knows
					w.must(meanwhile(w))
				}
				return chained(w, ctx, s)
			}, func(w *world) {
				w.send("1", "s", 1)
				w.tells("s started, s succeeded")
				w.bundle("2", 1, "x", "after x")
				<-w.running
				begin := time.Now()
				if took := (<-w.stopped).Sub(begin); took > 2*flushAfter {
					w.Errorf("it was stopped after %s", took)
				}
				time.Sleep(time.Second)
				if got := w.story(); strings.Contains(got, "after x") {
					w.Fatal(got)
				}
			})
		})
	}
}

func TestAFailureEndsAChain(t *testing.T) {
	simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
		if s.Name == "x" {
			return errors.New("no")
		}
		return nil
	}, func(w *world) {
		w.bundle("1", 1, "x", "after x", "y")
		w.tells("x started, x failed, y started, y succeeded")
	})
}

func TestWhatEndedBeforeALongStageIsRecordedSoon(t *testing.T) {
	simulate(t, choosy, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.bundle("2", 1, "y", "x")
		<-w.running
		begin := time.Now()
		w.tells("s started, s succeeded, y started, x started, y succeeded")
		if took := time.Since(begin); took > 2*flushAfter {
			w.Errorf("it took %s", took)
		}
		close(w.finish)
	})
}

// x is of an unknown kind, so y and "after x" are not claimed when it begins.
func TestWhatIsBehindALongStageGoesToAnotherWorker(t *testing.T) {
	simulate(t, choosy, func(w *world) {
		w.bundle("1", 1, "x", "y", "after x")
		<-w.running
		time.Sleep(2 * passOnAfter)
		w.drain() // this worker takes no more
		pending, err := w.passedOn()
		if err != nil || pending != "y" {
			w.Errorf("in the queue: %q %v", pending, err)
		}
		close(w.finish)
	})
}

// passedOn returns the stages of the task in the queue.
func (w *world) passedOn() (names string, err error) {
	ids, err := w.mini.List("asynq:{" + inRedis + "}:pending")
	if err != nil || len(ids) != 1 {
		return fmt.Sprint(ids), err
	}
	msg := w.mini.HGet("asynq:{"+inRedis+"}:t:"+ids[0], "msg")
	for id := range w.spec.Graph.Len() {
		if strings.Contains(msg, fmt.Sprintf(`"stage":%d,`, id)) {
			names += w.spec.Graph.Name(dag.StageID(id))
		}
	}
	return names, nil
}

// y is known to be short, and is claimed together with x, which is taken for short too.
func TestWhatIsClaimedBehindALongStageIsHandedBack(t *testing.T) {
	simulate(t, choosy, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.bundle("2", 1, "x", "y")
		<-w.running
		w.tells("s started, s succeeded, x started, y started, y lost")
		close(w.finish)
		w.tells("s started, s succeeded, x started, y started, y lost, x succeeded")
	})
}

func TestWhatIsClaimedBehindACancelledStageIsNotExecuted(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		switch s.Name {
		case "x":
			return blocking(w, ctx, s)
		case "y":
			w.Error("it was executed")
		}
		return nil
	}, func(w *world) {
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		w.bundle("2", 1, "x", "y")
		<-w.running
		_, err := w.journal.RequestCancel(w.Context(), run, "enough")
		w.must(err)
		time.Sleep(journal.BeatEvery)
		if got := w.story(); !strings.Contains(got, "x cancelled") || !strings.Contains(got, "y started") || strings.Contains(got, "y succeeded") {
			w.Fatal(got)
		}
	})
}

func TestADrainingWorkerPassesOnWhatItHasNotClaimed(t *testing.T) {
	simulate(t, choosy, func(w *world) {
		w.bundle("1", 1, "x", "y")
		<-w.running
		w.drain()
		synctest.Wait()
		close(w.finish)
		w.must(<-w.done)
		w.done <- nil
		if pending, err := w.passedOn(); err != nil || pending != "y" {
			w.Errorf("in the queue: %q %v", pending, err)
		}
		w.tells("x started, x succeeded")
	})
}

// A lease that was computed before the wait would have ended: Asynq would not remove the task.
func TestAfterALongIdleTimeATaskIsDoneWhenItIsExecuted(t *testing.T) {
	simulate(t, succeeding, func(w *world) {
		time.Sleep(10 * time.Minute)
		w.send("1", "s", 1)
		w.tells("s started, s succeeded")
		time.Sleep(time.Second)
		if ids, err := w.mini.List("asynq:{" + inRedis + "}:active"); err == nil {
			w.Errorf("still active: %v", ids)
		}
	})
}

func TestAStageWaitsForItsValuesWhileRedisIsAway(t *testing.T) {
	simulate(t, func(w *world, ctx context.Context, s *tasks.Stage) error {
		w.mini.SetError("LOADING no use")
		time.AfterFunc(time.Second, func() { w.mini.SetError("") })
		err := s.Values.Put(ctx, "key", []byte("value"))
		value, err2 := s.Values.Get(ctx, "key")
		if string(value) != "value" {
			w.Errorf("it reads %q", value)
		}
		s.Values.SetOutput(make([]byte, 2*values.MaxInline)) // which is stored before the success is recorded
		w.mini.SetError("LOADING no use")
		time.AfterFunc(time.Second, func() { w.mini.SetError("") })
		return errors.Join(err, err2)
	}, func(w *world) {
		w.send("1", "s", 1)
		time.Sleep(5 * time.Second)
		w.expect("started succeeded")
	})
}
