package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

// Two coordinators and three workers work on a run of a random graph. They read late, act on what
// is no longer true, take over from each other, take workers for dead that are not, get stages
// delivered again and again, and send everything up to three times.
func TestJournal_AgreesWithItsModel(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		j, runs := journal.New(rdb), 0
		rapid.Check(t, func(rt *rapid.T) {
			runs++
			w := newWorld(rt, t.Context(), j, journal.RunID(fmt.Sprint("run-", runs)))
			rt.Repeat(map[string]func(*rapid.T){
				"a coordinator reads":         w.read,
				"a coordinator acts":          w.act,
				"a coordinator acts again":    w.act,
				"a coordinator loses a claim": w.lose,
				"a coordinator takes over":    w.takeOver,
				"a worker claims":             w.claimSome,
				"a worker claims more":        w.claimSome,
				"a worker reports":            w.reportOne,
				"a worker reports more":       w.reportOne,
				"a worker goes down a chain":  w.chain,
				"a worker asks for orders":    w.checkOne,
				"somebody cancels":            w.cancel,
			})
			w.settle(rt)
			w.compare(rt)
			verify(rt, w.graph, w.stream(rt))
		})
	})
}

type world struct {
	j     *journal.Journal
	ctx   context.Context
	run   journal.RunID
	graph *dag.Graph
	twin  twin

	coordinators [2]coordinator
	// everything that was ever handed to the queue: any of it may be delivered at any time
	tasks  []journal.AttemptID
	claims []*claim // everything that was ever claimed
}

// coordinator is what a coordinator knows, and has not done yet. One that does not drive knows
// nothing.
type coordinator struct {
	id       string
	epoch    int64
	state    *dag.Run
	position journal.Position
	commands []dag.Command
}

// claim is one claimed attempt, and how it ended or will.
type claim struct {
	worker  string
	token   journal.Token
	outcome journal.Outcome
}

func newWorld(t *rapid.T, ctx context.Context, j *journal.Journal, run journal.RunID) *world {
	w := &world{j: j, ctx: ctx, run: run, graph: drawGraph(t)}
	w.coordinators = [2]coordinator{{id: "ann"}, {id: "bob"}}
	s := submission()
	s.Run, s.Lease = run, 0
	repeat(t, func() error { _, err := j.Submit(ctx, s); return err })
	w.twin.acquire("ann")
	w.begin(t, &w.coordinators[0], 1)
	return w
}

func drawGraph(t *rapid.T) *dag.Graph {
	var b dag.Builder
	for s := range rapid.IntRange(1, 6).Draw(t, "stages") {
		var after []string
		for d := range s {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				after = append(after, fmt.Sprint("s", d))
			}
		}
		b.Add(fmt.Sprint("s", s), after...)
	}
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// repeat sends something up to three times, as go-redis does when replies are lost. The last reply
// is what the sender sees.
func repeat(t *rapid.T, send func() error) {
	for range rapid.IntRange(1, 3).Draw(t, "sent") {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) anyCoordinator(t *rapid.T) *coordinator {
	return &w.coordinators[rapid.IntRange(0, 1).Draw(t, "coordinator")]
}

// begin makes the coordinator drive the run, from what the stream says.
func (w *world) begin(t *rapid.T, c *coordinator, epoch int64) {
	c.epoch, c.state, c.position = epoch, dag.NewRun(w.graph, dag.Rules{}), journal.Start
	w.readUpTo(t, c, 1<<30)
	c.commands = c.state.Pending(nil)
}

func (w *world) takeOver(t *rapid.T) {
	c := w.anyCoordinator(t)
	var epoch int64
	repeat(t, func() (err error) { epoch, err = w.j.Acquire(w.ctx, w.run, c.id, 0); return err })
	if want := w.twin.acquire(c.id); epoch != want {
		t.Fatalf("%s takes over in epoch %d, want %d", c.id, epoch, want)
	}
	w.begin(t, c, epoch)
}

func (w *world) read(t *rapid.T) {
	if c := w.anyCoordinator(t); c.state != nil {
		w.readUpTo(t, c, rapid.IntRange(1, 5).Draw(t, "entries"))
	}
}

func (w *world) readUpTo(t *rapid.T, c *coordinator, n int) {
	entries, err := w.j.Read(w.ctx, w.run, c.position, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries[:min(n, len(entries))] {
		for _, r := range e.Records {
			if event, ok := r.Event(); ok {
				if c.commands, err = c.state.Apply(event, c.commands); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.position = e.ID
	}
}

// act carries out the coordinator's commands.
func (w *world) act(t *rapid.T) { w.carryOut(t, w.anyCoordinator(t)) }

func (w *world) carryOut(t *rapid.T, c *coordinator) {
	var decisions []journal.Decision
	finish := false
	for _, command := range c.commands {
		switch command.Type {
		case dag.Dispatch:
			w.tasks = append(w.tasks, at(command.Stage, command.Attempt))
		case dag.Skip:
			d := decision(journal.EndUnexecuted, journal.StageSkipped, command.Stage, 0)
			d.Record.Cause = command.Cause
			decisions = append(decisions, d)
		case dag.Cancel:
			decisions = append(decisions, decision(journal.EndUnexecuted, journal.StageCancelled, command.Stage, 0))
		case dag.Finish:
			finish = true
		}
	}
	c.commands = nil
	w.decide(t, c, decisions)
	if finish {
		w.asDriver(t, c, w.twin.finish, func() error { return w.j.Finish(w.ctx, w.run, c.epoch, c.state) })
	}
}

func (w *world) decide(t *rapid.T, c *coordinator, decisions []journal.Decision) {
	if len(decisions) == 0 {
		return
	}
	same := func() {
		for _, d := range decisions {
			w.twin.decide(d)
		}
	}
	w.asDriver(t, c, same, func() error { return w.j.Decide(w.ctx, w.run, c.epoch, decisions) })
}

// asDriver does something that only the run's driver may do. A coordinator that is refused gives
// up.
func (w *world) asDriver(t *rapid.T, c *coordinator, same func(), do func() error) {
	if c.state == nil {
		return
	}
	if c.epoch == w.twin.epoch {
		same()
		repeat(t, do)
		return
	}
	if err := do(); !errors.Is(err, journal.ErrFenced) {
		t.Fatalf("%s acts in epoch %d while %s drives in epoch %d: %v", c.id, c.epoch, w.twin.owner, w.twin.epoch, err)
	}
	*c = coordinator{id: c.id}
}

// lose makes a coordinator end a claim that it knows of, as if the worker were dead or did not stop
// in time.
func (w *world) lose(t *rapid.T) {
	c := w.anyCoordinator(t)
	running := w.running(c)
	if len(running) == 0 {
		return
	}
	s := rapid.SampledFrom(running).Draw(t, "stage")
	d := decision(journal.Revoke, journal.StageLost, s, c.state.Attempt(s))
	if rapid.IntRange(0, 3).Draw(t, "forced") == 0 {
		d.Kind, d.Record.Type = journal.EndForced, journal.StageFailed
		if c.state.Cancelling() {
			d.Record.Type = journal.StageCancelled
		}
	}
	w.decide(t, c, []journal.Decision{d})
}

// running returns the stages that the coordinator believes to be running.
func (w *world) running(c *coordinator) (stages []dag.StageID) {
	for s := range dag.StageID(w.graph.Len()) {
		if c.state != nil && c.state.State(s) == dag.Running {
			stages = append(stages, s)
		}
	}
	return stages
}

func (w *world) claimSome(t *rapid.T) {
	if len(w.tasks) == 0 {
		return
	}
	bundle := rapid.SliceOfNDistinct(rapid.SampledFrom(w.tasks), 0, 3, rapid.ID).Draw(t, "bundle")
	w.claimAll(t, rapid.SampledFrom([]string{"w1", "w2", "w3"}).Draw(t, "worker"), bundle)
}

// claimAll claims a bundle, and returns what was granted.
func (w *world) claimAll(t *rapid.T, worker string, bundle []journal.AttemptID) (granted []*claim) {
	token := journal.NewToken()
	var got, want []bool
	repeat(t, func() (err error) {
		got, err = w.j.Claim(w.ctx, journal.Claim{Run: w.run, Digest: digest, Worker: worker, Token: token}, bundle)
		return err
	})
	for i, a := range bundle {
		want = append(want, w.twin.claim(worker, token, a))
		if want[i] {
			granted = append(granted, &claim{worker: worker, token: token, outcome: ended(0, a.Stage, a.Attempt)})
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s claims %v: granted %v, want %v", worker, bundle, got, want)
	}
	w.claims = append(w.claims, granted...)
	return granted
}

func (w *world) reportOne(t *rapid.T) {
	if len(w.claims) == 0 {
		return
	}
	c := rapid.SampledFrom(w.claims).Draw(t, "claim")
	if c.outcome.Record.Type == 0 {
		ways := []journal.Type{journal.StageSucceeded, journal.StageSucceeded, journal.StageFailed, journal.StageLost}
		if w.twin.cancelling {
			ways = append(ways, journal.StageCancelled)
		}
		c.outcome.Record.Type = rapid.SampledFrom(ways).Draw(t, "outcome")
	}
	w.report(t, c)
}

func (w *world) report(t *rapid.T, c *claim) {
	var got []bool
	repeat(t, func() (err error) {
		got, err = w.j.Report(w.ctx, journal.Claim{Run: w.run, Worker: c.worker, Token: c.token}, []journal.Outcome{c.outcome})
		return err
	})
	if want := w.twin.report(c.worker, c.token, c.outcome.Record); got[0] != want {
		t.Fatalf("%s reports %v: accepted %v, want %v", c.worker, c.outcome.Record, got[0], want)
	}
}

// chain reports the success of a stage together with the claims, and perhaps the ends, of those
// that follow from it. What was claimed and not ended in this step may be reported later.
func (w *world) chain(t *rapid.T) {
	if len(w.claims) == 0 {
		return
	}
	first := rapid.SampledFrom(w.claims).Draw(t, "claim")
	var moves []journal.Op
	for c := first; c != nil; c = w.follower(t, c) {
		if len(moves) > 0 {
			claim := journal.ClaimOp(at(c.outcome.Record.Stage, c.outcome.Record.Attempt))
			claim.Linked = true
			moves = append(moves, claim)
		}
		if c.outcome.Record.Type == 0 {
			c.outcome.Record.Type = rapid.SampledFrom([]journal.Type{0, journal.StageSucceeded, journal.StageSucceeded, journal.StageFailed}).Draw(t, "outcome")
		}
		if c.outcome.Record.Type != 0 {
			moves = append(moves, journal.Op{Outcome: c.outcome})
		}
		if rapid.Bool().Draw(t, "send what there is") {
			w.moves(t, first, moves)
		}
	}
	w.moves(t, first, moves)
}

// moves has a claimant make moves, all in one step.
func (w *world) moves(t *rapid.T, c *claim, moves []journal.Op) {
	var got []bool
	repeat(t, func() (err error) {
		got, err = w.j.Step(w.ctx, journal.Claim{Run: w.run, Digest: digest, Worker: c.worker, Token: c.token}, moves)
		return err
	})
	if want := w.twin.step(c.worker, c.token, moves); !slices.Equal(got, want) {
		t.Fatalf("%s moves %v: accepted %v, want %v", c.worker, moves, got, want)
	}
}

// follower returns the claim of a stage that may be executed as soon as the claimed one has
// succeeded; nil if that has not, or nothing does.
func (w *world) follower(t *rapid.T, c *claim) *claim {
	if c.outcome.Record.Type != journal.StageSucceeded {
		return nil
	}
	for _, s := range w.graph.Dependents(c.outcome.Record.Stage) {
		if len(w.graph.Deps(s)) != 1 || rapid.Bool().Draw(t, "not that one") {
			continue
		}
		for _, known := range w.claims {
			if known.token == c.token && known.outcome.Record.Stage == s {
				return known
			}
		}
		next := &claim{worker: c.worker, token: c.token, outcome: ended(0, s, 1)}
		w.claims = append(w.claims, next)
		return next
	}
	return nil
}

func (w *world) checkOne(t *rapid.T) {
	if len(w.claims) == 0 {
		return
	}
	c := rapid.SampledFrom(w.claims).Draw(t, "claim")
	a := at(c.outcome.Record.Stage, c.outcome.Record.Attempt)
	got, err := w.j.Check(w.ctx, w.run, c.token, []journal.AttemptID{a})
	if want := w.twin.check(c.token, a); err != nil || got[0] != want {
		t.Fatalf("orders for %v: %v, %v; want %v", a, got, err, want)
	}
}

func (w *world) cancel(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "really") > 0 {
		return // a cancelled run is soon a dull one
	}
	var got bool
	repeat(t, func() (err error) { got, err = w.j.RequestCancel(w.ctx, w.run, "enough"); return err })
	if want := w.twin.cancel(); got != want {
		t.Fatalf("cancel: the run goes on: %v, want %v", got, want)
	}
}

// settle brings the run to its end: from now on one coordinator and one worker do what they should.
func (w *world) settle(t *rapid.T) {
	c := &w.coordinators[0]
	epoch, err := w.j.Acquire(w.ctx, w.run, c.id, 0)
	if want := w.twin.acquire(c.id); err != nil || epoch != want {
		t.Fatalf("epoch %d, %v; want %d", epoch, err, want)
	}
	w.begin(t, c, epoch)
	var lost []journal.Decision
	for _, s := range w.running(c) {
		lost = append(lost, decision(journal.Revoke, journal.StageLost, s, c.state.Attempt(s)))
	}
	w.decide(t, c, lost)
	for range 10 * (w.graph.Len() + 1) {
		if c.state.Finished() {
			return
		}
		w.tasks = nil
		w.carryOut(t, c)
		for _, a := range w.tasks {
			for _, granted := range w.claimAll(t, "w1", []journal.AttemptID{a}) {
				granted.outcome.Record.Type = journal.StageSucceeded
				w.report(t, granted)
			}
		}
		w.readUpTo(t, c, 1<<30)
	}
	t.Fatal("the run does not end")
}
