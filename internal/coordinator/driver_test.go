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
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/spec"
)

// world is a driver in a bubble of simulated time, with a real journal on miniredis. The test plays the workers.
type world struct {
	*testing.T
	rdb     *redis.Client
	journal *journal.Journal
	queue   *fakeQueue
	dead    chan string
	spec    *spec.Spec
	digest  string
	run     journal.RunID
	tokens  map[journal.Attempted]journal.Token
	done    chan error
	stop    context.CancelCauseFunc
	served  []Unserved
	mu      sync.Mutex
	bundles bool // of several stages are allowed

	patience time.Duration // with stages that no worker can execute
}

// fakeQueue keeps bundles for the test to take. What is in it is pending.
type fakeQueue struct {
	mu      sync.Mutex
	bundles map[string]queue.Bundle // by task id
	order   []string
	failing bool
}

func (q *fakeQueue) EnqueueAll(_ context.Context, _ string, tasks ...queue.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing {
		return errors.New("the queue is away")
	}
	for _, t := range tasks {
		if _, there := q.bundles[t.ID]; !there {
			q.bundles[t.ID] = t.Bundle
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
	q.order, q.bundles = nil, make(map[string]queue.Bundle)
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
		w := &world{T: t, rdb: rdb, journal: journal.New(rdb), dead: make(chan string), run: "r", bundles: bundles,
			queue: &fakeQueue{bundles: make(map[string]queue.Bundle)}, spec: sp, tokens: make(map[journal.Attempted]journal.Token)}
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
		_, err := Drive(ctx, Config{ID: id, Journal: w.journal, Queue: w.queue, Logger: slog.New(slog.DiscardHandler), Grace: 10 * time.Second, MaxBundle: most,
			NoWorker: w.patience, Dead: w.dead, Unserved: func(u []Unserved) { w.mu.Lock(); w.served = u; w.mu.Unlock() }}, w.run, w.spec, w.digest, epoch)
		done <- err
	}()
}

// pass lets simulated time go by.
func (w *world) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

func (w *world) beat(worker string, queues ...string) {
	w.must(w.journal.Beat(w.Context(), journal.WorkerInfo{ID: worker, Queues: queues, Slots: 1}))
}

// keepAlive lets time go by with the worker alive.
func (w *world) keepAlive(worker string, d time.Duration) {
	for ; d > 0; d -= journal.BeatEvery {
		w.beat(worker, "default")
		w.pass(journal.BeatEvery)
	}
}

// sent expects that these tasks, and no others, are handed to the queue soon, and takes them.
func (w *world) sent(want ...string) {
	w.Helper()
	w.pass(time.Millisecond)
	got := w.queue.take()
	for i, id := range want {
		want[i] = "r/" + id
	}
	slices.Sort(got)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		w.Fatalf("sent %v, want %v", got, want)
	}
}

func (w *world) attempt(name string, attempt int) journal.Attempted {
	id, ok := w.spec.Graph.Lookup(name)
	if !ok {
		w.Fatalf("no stage %q", name)
	}
	return journal.Attempted{Stage: id, Attempt: dag.Attempt(attempt)}
}

func (w *world) claim(worker, name string, attempt int) bool {
	w.Helper()
	a, token := w.attempt(name, attempt), journal.NewToken()
	yes, err := w.journal.Claim(w.Context(), journal.Claimant{Run: w.run, Digest: w.digest, Worker: worker, Token: token}, []journal.Attempted{a})
	w.must(err)
	if yes[0] {
		w.tokens[a] = token
	}
	return yes[0]
}

func (w *world) report(name string, attempt int, typ journal.Type) bool {
	w.Helper()
	a := w.attempt(name, attempt)
	yes, err := w.journal.Report(w.Context(), journal.Claimant{Run: w.run, Worker: "w1", Token: w.tokens[a]}, []journal.Outcome{
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

func TestStagesAreSentAsTheirDependenciesSucceed(t *testing.T) {
	simulate(t, "a; b: a; c: a; d: b c", func(w *world) {
		w.sent("a#1")
		w.does("a", 1)
		w.sent("b#1", "c#1")
		w.does("b", 1)
		w.sent()
		w.does("c", 1)
		w.sent("d#1")
		w.does("d", 1)
		w.ends(nil)
	})
}

func TestTheLongestWayToGoComesFirst(t *testing.T) {
	simulate(t, "x; y; z; a; b: a; c: b", func(w *world) {
		w.sent("a#1", "x#1", "y#1", "z#1") // one worker with one slot: a window of four
		w.does("a", 1)
		w.sent("b#1")
	})
}

func TestNoMoreIsSentThanThereAreWorkersFor(t *testing.T) {
	simulate(t, "a; b; c; d; e; f; g; h", func(w *world) {
		w.sent("a#1", "b#1", "c#1", "d#1")
		w.does("a", 1)
		w.sent("e#1")
		w.beat("w2", "default") // the window widens by two
		w.keepAlive("w1", time.Second)
		w.sent("f#1", "g#1")
	})
}

func TestAFailureSkipsWhatComesAfterIt(t *testing.T) {
	simulate(t, "a; b: a; c: b; d", func(w *world) {
		w.sent("a#1", "d#1")
		w.claim("w1", "a", 1)
		w.report("a", 1, journal.StageFailed)
		w.sent()
		w.does("d", 1)
		w.ends(nil)
		if got := w.story(); got != "run.submitted a.started a.failed b.skipped c.skipped d.started d.succeeded run.finished" {
			w.Fatal(got)
		}
	})
}

func TestAStageWhoseWorkerFallsSilentRunsAgain(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1")
		w.beat("w2", "default")
		w.claim("w2", "a", 1)
		w.claim("w1", "b", 1)
		begin := time.Now()
		for len(w.queue.order) == 0 {
			w.keepAlive("w1", journal.BeatEvery)
			if time.Since(begin) > time.Minute {
				w.Fatal("never sent again: " + w.story())
			}
		}
		if took := time.Since(begin); took < journal.WorkerTTL || took > 5*time.Second {
			w.Errorf("sent again after %s", took)
		}
		w.sent("a#2")
		if w.report("a", 1, journal.StageSucceeded) {
			w.Error("the silent worker's report was accepted")
		}
		w.does("a", 2)
		w.report("b", 1, journal.StageSucceeded)
		w.ends(nil)
	})
}

func TestAStageWhoseWorkerIsKnownToBeDeadRunsAgainAtOnce(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		w.pass(time.Millisecond)
		w.dead <- "w1"
		w.sent("a#2")
	})
}

func TestAStageThatKillsItsWorkersFails(t *testing.T) {
	simulate(t, "a; b: a", func(w *world) {
		for i := 1; i <= maxCrashes; i++ {
			w.sent(fmt.Sprintf("a#%d", i))
			w.claim("w1", "a", i)
			w.pass(time.Millisecond)
			w.dead <- "w1"
		}
		w.ends(nil)
		if got := w.story(); !strings.HasSuffix(got, "a.started a.failed b.skipped run.finished") {
			w.Fatal(got)
		}
	})
}

func TestAStageThatIsHandedBackIsNoCrash(t *testing.T) {
	simulate(t, "a", func(w *world) {
		for i := 1; i <= 2*maxCrashes; i++ {
			w.sent(fmt.Sprintf("a#%d", i))
			w.claim("w1", "a", i)
			w.report("a", i, journal.StageLost)
		}
		w.sent(fmt.Sprintf("a#%d", 2*maxCrashes+1))
		w.does("a", 2*maxCrashes+1)
		w.ends(nil)
	})
}

func TestATaskThatVanishedFromTheQueueIsSentAgain(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1") // taken, and forgotten
		w.claim("w1", "b", 1)
		w.keepAlive("w1", unclaimedAfter+time.Second)
		w.sent("a#1~1")
	})
}

func TestATaskThatWaitsInTheQueueIsNotSentAgain(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.keepAlive("w1", 5*unclaimedAfter)
		w.sent("a#1")
	})
}

func TestWhatTheQueueRefusedIsSentLater(t *testing.T) {
	simulate(t, "a; b: a", func(w *world) {
		w.sent("a#1")
		w.queue.failing = true
		w.does("a", 1)
		w.sent()
		w.queue.failing = false
		w.keepAlive("w1", unclaimedAfter+time.Second)
		w.sent("b#1~1")
	})
}

func TestAnotherCoordinatorGoesOnWhereTheFirstOneStopped(t *testing.T) {
	simulate(t, "a; b: a; c: b; d", func(w *world) {
		w.sent("a#1", "d#1")
		w.does("a", 1)
		w.sent("b#1")
		w.claim("w1", "d", 1)
		w.stop(errors.New("crash"))
		w.does("b", 1) // reported while nobody drives
		w.pass(Lease)
		w.pass(time.Second)
		w.beat("w1", "default")
		epoch, err := w.journal.Acquire(w.Context(), w.run, "c2", Lease)
		w.must(err)
		w.drive("c2", epoch)
		w.sent("c#1")
		w.does("c", 1)
		w.report("d", 1, journal.StageSucceeded)
		w.ends(nil)
		if got := w.story(); strings.Count(got, "started") != 4 {
			w.Fatal(got)
		}
	})
}

func TestACoordinatorThatLostItsLeaseStops(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		// Its renewals did not get through for longer than the lease: another one took over.
		w.must(w.journal.Renew(w.Context(), w.run, "c1", -time.Second, 1))
		_, err := w.journal.Acquire(w.Context(), w.run, "c2", Lease)
		w.must(err)
		w.ends(journal.ErrFenced)
	})
}

func TestWhenRedisLosesTheRunTheDriverSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rdb := redistest.Mini(t)
		w := &world{T: t, journal: journal.New(rdb), run: "r", queue: &fakeQueue{bundles: make(map[string]queue.Bundle)}, spec: pipeline(t, "a")}
		encoded, err := w.spec.Encode()
		w.must(err)
		epoch, err := w.journal.Submit(t.Context(), journal.Submission{Run: "r", Stages: 1, Digest: "d", Spec: encoded, Coordinator: "c", Lease: Lease})
		w.must(err)
		w.drive("c", epoch)
		w.pass(time.Second)
		w.must(rdb.FlushAll(t.Context()).Err())
		w.ends(journal.ErrGone)
		time.Sleep(time.Minute)
	})
}

func TestCancellingEndsWhatDoesNotRunAndWaitsForTheRest(t *testing.T) {
	simulate(t, "a; b: a; c; d: c", func(w *world) {
		w.sent("a#1", "c#1")
		w.claim("w1", "a", 1)
		_, err := w.journal.RequestCancel(w.Context(), w.run, "enough")
		w.must(err)
		w.pass(time.Millisecond)
		if w.claim("w1", "c", 1) {
			t.Error("a stage was claimed after the cancellation")
		}
		w.report("a", 1, journal.StageCancelled)
		w.ends(nil)
		if got := w.story(); got != "run.submitted a.started run.cancelling b.cancelled c.cancelled d.cancelled a.cancelled run.finished" {
			w.Fatal(got)
		}
	})
}

func TestACancelledRunLeavesNothingInTheQueue(t *testing.T) {
	simulate(t, "a; b; c", func(w *world) {
		w.pass(time.Millisecond)
		_, err := w.journal.RequestCancel(w.Context(), w.run, "enough")
		w.must(err)
		w.ends(nil)
		w.sent()
	})
}

func TestAStageThatDoesNotStopIsEndedByForce(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		_, err := w.journal.RequestCancel(w.Context(), w.run, "enough")
		w.must(err)
		w.keepAlive("w1", 12*time.Second)
		w.ends(nil)
		if w.report("a", 1, journal.StageSucceeded) {
			w.Error("its late report was accepted")
		}
	})
}

func TestAQueueThatNobodyListensToIsNamed(t *testing.T) {
	simulate(t, "a@gpu; b", func(w *world) {
		w.keepAlive("w1", 4*time.Second)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.served) != 1 || w.served[0].Queue != "gpu" || w.served[0].Stages != 1 || w.served[0].For < 3*time.Second {
			w.Fatalf("%+v", w.served)
		}
	})
}

// A worker with another key would refuse what it takes.
func TestWorkersWithAnotherKeyDoNotCount(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		for range 8 {
			w.must(w.journal.Beat(w.Context(), journal.WorkerInfo{ID: "w1", Queues: []string{"default"}, Slots: 4, Key: "other"}))
			w.pass(journal.BeatEvery)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.served) != 1 || w.served[0].Stages != 2 || !slices.Equal(w.served[0].Strangers, []string{"w1"}) {
			w.Fatalf("%+v", w.served)
		}
	})
}

// Workers refuse what they are sent: to send it again and again would never end.
func TestARunWhoseSpecWasChangedInRedisIsLeft(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.must(w.rdb.Set(w.Context(), "godags:{r}:spec", "something else", 0).Err())
		w.sent("a#1") // and taken
		w.keepAlive("w1", 4*time.Second)
		w.ends(journal.ErrDigest)
	})
}

// A record of a stage that the run does not have, and one that does not decode.
func TestARunWithADamagedJournalIsLeftAsItIs(t *testing.T) {
	for _, records := range []string{"\x02\xff\x01\x01\x00", "\x02\x00"} {
		simulate(t, "a", func(w *world) {
			w.sent("a#1")
			damaged := w.rdb.XAdd(w.Context(), &redis.XAddArgs{Stream: "godags:{r}:journal", Values: []any{"w", "w1", "r", records}})
			w.must(damaged.Err())
			w.pass(tickEvery)
			select {
			case err := <-w.done:
				if !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), damaged.Val()) {
					w.Errorf("%v, want one about entry %s", err, damaged.Val())
				}
				w.done <- err
			default:
				w.Error("the driver goes on")
			}
		})
	}
}

// carries returns the stages of the only task that is in the queue, and takes it.
func (w *world) carries() string {
	w.Helper()
	w.pass(time.Millisecond)
	w.queue.mu.Lock()
	if len(w.queue.order) != 1 {
		w.Fatalf("in the queue: %v", w.queue.order)
	}
	var names []string
	for _, item := range w.queue.bundles[w.queue.order[0]].Items {
		names = append(names, fmt.Sprintf("%s#%d", w.spec.Graph.Name(item.Stage), item.Attempt))
	}
	w.queue.mu.Unlock()
	w.queue.take()
	return strings.Join(names, " ")
}

// took is a worker that executes a stage, which takes some time.
func (w *world) took(name string, d time.Duration) {
	w.Helper()
	if !w.claim("w1", name, 1) {
		w.Fatalf("the claim of %s was refused", name)
	}
	a := w.attempt(name, 1)
	_, err := w.journal.Report(w.Context(), journal.Claimant{Run: w.run, Worker: "w1", Token: w.tokens[a]}, []journal.Outcome{
		{Record: journal.Record{Type: journal.StageSucceeded, Stage: a.Stage, Attempt: 1, Duration: d}}})
	w.must(err)
}

// wide is n stages that nothing must precede, behind a first one.
func wide(n int) string {
	text := "a"
	for i := range n {
		text += fmt.Sprintf("; s%d: a", i)
	}
	return text
}

func TestBundlesGrowWhileStagesAreShort(t *testing.T) {
	simulateBundles(t, wide(40), func(w *world) {
		if got := w.carries(); got != "a#1" {
			w.Fatal("of an unknown stage: " + got)
		}
		w.took("a", time.Microsecond)
		w.pass(time.Millisecond)
		if got := len(w.queue.bundles[w.queue.order[0]].Items); got != 4 {
			w.Fatalf("after one short stage: %d", got)
		}
	})
}

func TestFewShortStagesWaitForCompanyWhileAllWorkersAreBusy(t *testing.T) {
	simulateBundles(t, "a; b: a; c: a; d: b; e: b; f: c; g: c; h: d e f g", func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		if got := w.carries(); got != "b#1 c#1" {
			w.Fatal(got)
		}
		w.took("b", time.Microsecond)
		w.sent() // c may go on: the only worker has it
		w.took("c", time.Microsecond)
		if got := w.carries(); got != "d#1 e#1 f#1 g#1" {
			w.Fatal(got)
		}
	})
}

func TestNothingWaitsForCompanyWhileAWorkerIsIdle(t *testing.T) {
	simulateBundles(t, "a; b: a; c: a; d: b; e: b; f: c; g: c; h: d e f g", func(w *world) {
		w.carries()
		w.beat("w2", "default")
		w.keepAlive("w1", time.Second)
		w.took("a", time.Microsecond)
		w.sent("b#1+1-1.1")
		w.took("b", time.Microsecond)
		if got := w.carries(); got != "d#1 e#1" {
			w.Fatal(got)
		}
	})
}

func TestAStageThatTakesLongTravelsAlone(t *testing.T) {
	simulateBundles(t, wide(40), func(w *world) {
		w.carries()
		w.took("a", time.Second)
		w.pass(time.Millisecond)
		for id, b := range w.queue.bundles {
			if len(b.Items) != 1 {
				w.Errorf("%s carries %d", id, len(b.Items))
			}
		}
	})
}

func TestAChainTravelsTogether(t *testing.T) {
	simulateBundles(t, "a; b: a; c: b; d: c; e: d; f: e e2; e2: a", func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		w.pass(time.Millisecond)
		var chains []string
		for _, b := range w.queue.bundles {
			var names string
			for _, item := range b.Items {
				names += w.spec.Graph.Name(item.Stage)
			}
			chains = append(chains, names)
		}
		slices.Sort(chains)
		if got := fmt.Sprint(chains); got != "[bcde]" { // f has two dependencies, and e2 waits for company
			w.Fatal(got)
		}
	})
}

func TestWhatAWorkerLeavesOfABundleIsSentAgain(t *testing.T) {
	simulateBundles(t, wide(8), func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		w.sent("s0#1+3-1.1", "s4#1+3-1.2")
		w.claim("w1", "s0", 1)
		w.pass(time.Millisecond)
		w.beat("w2", "default") // so that there is room for more bundles
		w.dead <- "w1"
		w.keepAlive("w3", time.Second)
		var again []string
		for _, b := range w.queue.bundles {
			for _, item := range b.Items {
				again = append(again, fmt.Sprintf("%s#%d", w.spec.Graph.Name(item.Stage), item.Attempt))
			}
		}
		if !slices.Contains(again, "s0#2") || !slices.Contains(again, "s1#1") {
			w.Fatal(again)
		}
	})
}

func TestAChainWhoseFirstStageIsLostIsSentAgain(t *testing.T) {
	simulateBundles(t, "a; b: a; c: b", func(w *world) {
		w.carries()
		w.took("a", time.Microsecond)
		if got := w.carries(); got != "b#1 c#1" {
			w.Fatal(got)
		}
		w.claim("w1", "b", 1)
		w.pass(time.Millisecond)
		w.dead <- "w1"
		if got := w.carries(); !strings.HasPrefix(got, "b#2") {
			w.Fatal(got)
		}
	})
}

// loseLastEntry takes the last entry out of the journal, and with it what it did to the fence: as a crash of Redis does.
func (w *world) loseLastEntry() {
	w.Helper()
	last, err := w.rdb.XRevRangeN(w.Context(), "godags:{r}:journal", "+", "-", 1).Result()
	w.must(err)
	w.must(w.rdb.XDel(w.Context(), "godags:{r}:journal", last[0].ID).Err())
	w.must(w.rdb.Del(w.Context(), "godags:{r}:fence").Err())
}

func TestWhenRedisLosesTheEndOfTheJournalTheDriverGoesOnFromWhatThereIs(t *testing.T) {
	simulate(t, "a; b: a", func(w *world) {
		w.sent("a#1")
		w.claim("w1", "a", 1)
		w.pass(time.Millisecond)
		w.loseLastEntry()
		w.keepAlive("w1", time.Second)
		w.sent("a#1")
		w.does("a", 1)
		w.sent("b#1")
		w.does("b", 1)
		w.ends(nil)
	})
}

func TestAnAttemptThatItsWorkerDoesNotHaveIsLost(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1")
		w.claim("w1", "a", 1)
		w.claim("w1", "b", 1)
		b := w.attempt("b", 1)
		for range 2 * int(settledAfter/journal.BeatEvery) {
			w.must(w.journal.Beat(w.Context(), journal.WorkerInfo{ID: "w1", Queues: []string{"default"}, Slots: 1,
				Holds: map[journal.RunID][]journal.Attempted{"r": {b}}}))
			w.pass(journal.BeatEvery)
		}
		w.sent("a#2")
		if got := w.story(); strings.Count(got, "lost") != 1 {
			w.Fatal(got)
		}
		for i := 2; i <= maxCrashes; i++ { // it did not crash, however often
			w.claim("w1", "a", i)
			for range 2 * int(settledAfter/journal.BeatEvery) {
				w.must(w.journal.Beat(w.Context(), journal.WorkerInfo{ID: "w1", Queues: []string{"default"}, Slots: 1,
					Holds: map[journal.RunID][]journal.Attempted{"r": {b}}}))
				w.pass(journal.BeatEvery)
			}
			w.sent(fmt.Sprintf("a#%d", i+1))
		}
	})
}
