package faulttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/faulttest"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// Random pipelines with all that policies can say, whose runs are cancelled, taken over and
// reopened at random: each finishes, in each of its lives, and no process has anything to
// complain about. GODAGS_HUNT is how many there are, GODAGS_TEST_SEED the seed of the first.
func TestRunsUnderRandomPoliciesComeToTheirEnd(t *testing.T) {
	t.Parallel()
	count := 40 / oneOf
	if text := os.Getenv("GODAGS_HUNT"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(count) {
		seed := seed(t) + i
		t.Run(fmt.Sprint("GODAGS_TEST_SEED=", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newHunt(t, seed).run() })
		})
	}
}

// hunt is a random run in a world with two workers and no faults.
type hunt struct {
	*world
	random *rand.Rand
	takes  map[string]time.Duration // by stage
	// 0: some or all attempts fail, 1: the first one does, else: none
	fails  map[string]int
	length int          // of all lists
	log    bytes.Buffer // what coordinators complain about
	taken  bool         // another coordinator has taken the run over
}

func newHunt(t *testing.T, seed uint64) *hunt {
	w := &world{T: t, mini: miniredis.NewMiniRedis(), executed: make(map[string]int), gate: newGate(seed, point{}, none)}
	w.mini.ClockTTL(true)
	w.rdb = w.gate.actor("test").connect(w.mini)
	h := &hunt{world: w, random: rand.New(rand.NewPCG(seed, 9)), takes: make(map[string]time.Duration), fails: make(map[string]int)}
	h.length = h.random.IntN(9)
	h.spec = h.pipeline()
	var err error
	h.encoded, err = h.spec.Encode()
	h.must(err)
	h.digest = spec.Digest(h.encoded)
	w.do = func(_ *world, ctx context.Context, s *tasks.Stage) error { return h.stage(ctx, s) }
	return h
}

func (h *hunt) oneIn(n int) bool { return h.random.IntN(n) == 0 }

// pipeline has up to 150 stages, most of which take next to nothing and are alike, so that there
// are bundles and chains.
func (h *hunt) pipeline() *spec.Spec {
	r := h.random
	b := &spec.Builder{Name: "hunt"}
	b.Stop = h.oneIn(5)
	if h.oneIn(4) {
		b.Timeout = time.Duration(50+r.IntN(3000)) * time.Millisecond
	}
	usual := make([]spec.Policy, 1+r.IntN(4))
	for i := range usual {
		if h.oneIn(2) {
			h.retried(&usual[i])
		}
		if i > 0 && h.oneIn(4) {
			usual[i].Trigger = dag.Trigger(r.IntN(4))
		}
	}
	size, rare := 5+r.IntN(150), 8+r.IntN(60)
	for i := range size {
		name, after := fmt.Sprint("s", i), h.after(i)
		h.takes[name] = []time.Duration{0, 0, 0, 0, 10 * time.Microsecond, 100 * time.Microsecond, time.Millisecond, 8 * time.Millisecond,
			40 * time.Millisecond, 300 * time.Millisecond}[max(0, r.IntN(40)-30)]
		h.fails[name] = r.IntN(rare)
		b.Add(name, after, spec.Kind{Task: "work", Policy: h.policy(usual[r.IntN(len(usual))], after, rare), Params: []byte(`{}`)})
	}
	sp, err := b.Build()
	h.must(err)
	return sp
}

// after is what the stage with this number comes after: nothing, one stage or two.
func (h *hunt) after(i int) []string {
	if i == 0 {
		return nil
	}
	before, any := fmt.Sprint("s", i-1), fmt.Sprint("s", h.random.IntN(i))
	switch n := h.random.IntN(6); {
	case n == 0:
		return nil
	case n <= 2:
		return []string{any}
	case n == 3 || any == before:
		return []string{before}
	}
	return []string{any, before}
}

// policy is what is usual, with something rare now and then.
func (h *hunt) policy(p spec.Policy, after []string, rare int) spec.Policy {
	if h.oneIn(3 * rare) {
		h.retried(&p)
	}
	if h.oneIn(rare) {
		p.When = "1 > 2"
	}
	if h.oneIn(rare) {
		p.Timeout = 20 * time.Millisecond
	}
	if len(after) == 0 {
		p.Trigger = dag.AllSuccess
		return p
	}
	if h.oneIn(rare) {
		p.Trigger = dag.Trigger(h.random.IntN(4))
	}
	if h.oneIn(rare) {
		p.ForEach, p.MaxParallel = after[h.random.IntN(len(after))], h.random.IntN(3)
	}
	return p
}

func (h *hunt) retried(p *spec.Policy) {
	p.Retries, p.Backoff = 1+h.random.IntN(3), spec.Backoff{Initial: time.Duration(1+h.random.IntN(100)) * time.Millisecond, Factor: 1}
}

// stage does what a stage or an instance of it does. Each leaves a list, of which others may be
// made.
func (h *hunt) stage(ctx context.Context, s *tasks.Stage) error {
	name, _, _ := strings.Cut(s.Name, "[")
	if err := sleep(ctx, h.takes[name]); err != nil {
		return err
	}
	if f := h.fails[name]; f == 0 && (s.Item == nil || s.Index%4 == 1) || f == 1 && s.Attempt < 2+s.Index%2 {
		return errors.New("it fails")
	}
	elements := make([]string, h.length)
	for i := range elements {
		elements[i] = strconv.Itoa(i)
	}
	s.Values.SetOutput([]byte("json\n[" + strings.Join(elements, ",") + "]"))
	return nil
}

func (h *hunt) run() {
	defer h.mini.Close()
	defer h.rdb.Close()
	drain := make(chan struct{})
	var workers sync.WaitGroup
	for _, name := range []string{"w1", "w2"} {
		workers.Go(func() { h.keepWorker(name, drain) })
	}
	j := journal.New(h.rdb)
	epoch, err := j.Submit(h.Context(), journal.Submission{Run: run, Pipeline: "hunt", Stages: h.spec.Graph.Len(), Digest: h.digest, Spec: h.encoded,
		Coordinator: "c", Lease: coordinator.Lease})
	h.must(err)
	for life := 0; life < 4 && epoch > 0 && !h.Failed(); life++ {
		h.live(j, epoch)
		epoch = h.reopen(j)
	}
	h.settle()
	if left, err := faulttest.Leftovers(h.Context(), h.rdb, string(run)); err != nil || len(left) > 0 && !h.Failed() {
		h.Errorf("I6: orphaned: %v %v", left, err)
	}
	if said := h.complaints(j); said != "" {
		h.Errorf("said:\n%s", said)
	}
	close(drain)
	workers.Wait()
	time.Sleep(2 * time.Minute) // simulated: what still waits for an answer gives up
	close(h.gate.stop)
	<-h.gate.done
}

// complaints is what coordinators have complained about. A stage may be in two bundles: one that
// takes over does not know what the one before it has sent, and what a worker requeues from
// behind a stage that takes long may have been passed on by it too. Where it is not granted, those
// that travel behind it are dropped with it, and have to be sent again.
func (h *hunt) complaints(j *journal.Journal) (said string) {
	twice := h.taken || h.handedBack(j)
	for line := range strings.Lines(h.log.String()) {
		if !twice || !strings.Contains(line, "sent again") {
			said += line
		}
	}
	return said
}

// handedBack reports whether a worker has given back what it had claimed and not begun.
func (h *hunt) handedBack(j *journal.Journal) bool {
	entries, err := j.Read(h.Context(), run, journal.Start, 0)
	h.must(err)
	return slices.ContainsFunc(entries, func(e journal.Entry) bool {
		return slices.ContainsFunc(e.Records, func(r journal.Record) bool {
			return r.Type == journal.StageLost && strings.HasPrefix(r.Text, "not begun")
		})
	})
}

// live brings a run to its end: it may be cancelled on the way, and given up and taken over.
func (h *hunt) live(j *journal.Journal, epoch int64) {
	ctx, stop := context.WithTimeout(h.Context(), 5*time.Minute)
	defer stop()
	if h.oneIn(3) {
		cancel := time.AfterFunc(time.Duration(h.random.IntN(400))*time.Millisecond, func() { j.RequestCancel(ctx, run, "enough") })
		defer cancel.Stop()
	}
	if h.oneIn(3) {
		short, stop := context.WithTimeout(ctx, time.Duration(h.random.IntN(200))*time.Millisecond)
		h.drive(short, j, epoch)
		stop()
		if lead := h.lead(j); !lead.Finished {
			h.taken = true
			h.must(j.Release(ctx, run, lead.Coordinator, epoch))
			var err error
			epoch, err = j.Acquire(ctx, run, lead.Coordinator+"'", coordinator.Lease)
			h.must(err)
		}
	}
	begin := time.Now()
	if state, err := h.drive(ctx, j, epoch); err != nil {
		h.Errorf("%v after %s: %d ready, %d running, %d waiting, %d retrying", err, time.Since(begin), state.Count(dag.Ready), state.Count(dag.Running),
			state.Count(dag.Waiting), state.Count(dag.Retrying))
		h.tell(j, state)
	}
}

func (h *hunt) drive(ctx context.Context, j *journal.Journal, epoch int64) (*dag.Run, error) {
	return coordinator.Drive(ctx, coordinator.Config{ID: h.lead(j).Coordinator, Journal: j, Fleet: fleet.New(h.rdb), Queue: queue.NewClient(h.rdb, h.key()),
		Logger: slog.New(slog.NewTextHandler(&h.log, nil)), Grace: 10 * time.Second},
		coordinator.Run{ID: run, Spec: h.spec, Digest: h.digest, Epoch: epoch})
}

func (h *hunt) lead(j *journal.Journal) journal.Ownership {
	leads, err := j.Ownerships(h.Context(), run)
	h.must(err)
	return leads[0]
}

// reopen has what went wrong, or some stage, executed again, with other outcomes than before. It
// returns epoch 0 if there is nothing to do.
func (h *hunt) reopen(j *journal.Journal) (epoch int64) {
	if h.Failed() {
		return 0
	}
	seen, err := runstate.Load(h.Context(), j, run, h.spec)
	h.must(err)
	stage := dag.NoStage
	if h.oneIn(2) {
		stage = dag.StageID(h.random.IntN(h.spec.Graph.Len()))
	}
	again, err := seen.DAG.Reopened(stage)
	h.must(err)
	if len(again) == 0 {
		return 0
	}
	for i := range h.spec.Graph.Len() {
		h.fails[fmt.Sprint("s", i)] = 2 + h.random.IntN(3)*(i%2)
	}
	lead := h.lead(j)
	epoch, err = j.Reopen(h.Context(), journal.Reopening{Run: run, Epoch: lead.Epoch, Stage: stage, Again: again, Coordinator: lead.Coordinator + "+",
		Lease: coordinator.Lease})
	h.must(err)
	return epoch
}

// tell says what the journal has of stages that are not terminal.
func (h *hunt) tell(j *journal.Journal, state *dag.Run) {
	entries, err := j.Read(h.Context(), run, journal.Start, 0)
	h.must(err)
	for s := range state.Stages() {
		if state.State(s).Terminal() {
			continue
		}
		h.Logf("%s is %s, attempt %d", state.Name(s), state.State(s), state.Attempt(s))
		for _, e := range entries {
			for _, r := range e.Records {
				if r.Stage == s {
					h.Logf("  %s %s %+v", e.ID, e.Worker, r)
				}
			}
		}
	}
}
