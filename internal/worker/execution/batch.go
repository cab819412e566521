package execution

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/internal/worker/delivery"
	"github.com/godags/godags/tasks"
)

// Batch is what the attempts of one delivered batch have in common.
type Batch struct {
	*Executor
	Claim    journal.Claim
	origin   values.Origin
	pipeline *pipeline
	delivery Delivery

	// items has the instances, the mapped stages, and the stages with a dependency whose first
	// attempt did not succeed. It is nil if there are none, as in most batches.
	items   map[dag.StageID]queue.Item
	outputs outputs
}

// Delivery is the delivery that a batch belongs to.
type Delivery interface {
	// Upcoming calls yield with the claimed attempts that are executed next, until it returns
	// false.
	Upcoming(yield func(journal.AttemptID) bool)
	// Revoke says that a store has refused a write of an attempt, since its claim is void.
	Revoke(journal.AttemptID)
}

var _ delivery.Stages = (*Batch)(nil)

// Open loads the spec of a batch that was delivered, and returns its attempts. Attempts that make
// no sense for the spec are left out.
func (x *Executor) Open(ctx context.Context, task queue.Batch, d Delivery) (*Batch, []journal.AttemptID, error) {
	run, err := journal.ParseRunID(task.Run)
	if err != nil {
		// A run with such an ID cannot exist. As ErrNotFound, the task is dropped, not repeated.
		return nil, nil, errors.Join(journal.ErrNotFound, err)
	}

	p, err := x.pipelines.get(ctx, run, task.Digest)
	if err != nil {
		return nil, nil, err
	}

	b := &Batch{
		Executor: x,
		Claim: journal.Claim{
			Run: run, Digest: task.Digest, Worker: x.Worker, Token: journal.NewToken(), After: journal.Position(task.After),
		},
		origin:   values.Origin{Run: run, Incarnation: task.Incarnation, Digest: task.Digest},
		pipeline: p,
		delivery: d,
	}

	// One bad item does not spoil the others.
	attempts := make([]journal.AttemptID, 0, len(task.Items))
	for _, item := range task.Items {
		if p.accepts(item) && b.keep(item, attempts) {
			attempts = append(attempts, journal.AttemptID{Stage: item.Stage, Attempt: item.Attempt})
		}
	}

	return b, attempts, nil
}

// keep keeps an item that says more than the attempt of a stage. It reports false for such an item
// of a stage that the batch has already: the first item of a stage counts.
func (b *Batch) keep(i queue.Item, before []journal.AttemptID) bool {
	inGraph := int(i.Stage) < b.pipeline.spec.Graph.Len()
	if inGraph && i.Count == 0 && len(i.Deps) == 0 {
		return true // the delivery finds out whether it is there twice
	}

	_, twice := b.items[i.Stage]
	// All instances are in items, so their batches, the large ones, are not searched.
	if twice || inGraph && slices.ContainsFunc(before, func(a journal.AttemptID) bool { return a.Stage == i.Stage }) {
		return false
	}

	if b.items == nil {
		b.items = make(map[dag.StageID]queue.Item)
	}
	b.items[i.Stage] = i
	return true
}

// Item returns what another worker must be told of an attempt.
func (b *Batch) Item(a journal.AttemptID) queue.Item {
	i := b.items[a.Stage]
	i.Stage = a.Stage
	i.Attempt = a.Attempt
	return i
}

// Name returns the name of a stage or an instance.
func (b *Batch) Name(s dag.StageID) string {
	g := b.graphStage(s)
	name := b.pipeline.spec.Graph.Name(g)
	if g != s {
		name += "[" + strconv.Itoa(b.items[s].Index) + "]"
	}
	return name
}

// HasHandler reports whether this worker can execute a stage.
func (b *Batch) HasHandler(s dag.StageID) bool {
	task := b.pipeline.spec.Kind(b.graphStage(s)).Task
	return task == "" || b.Registry.Has(task)
}

// graphStage returns the stage of the graph that says how s is executed: s itself, or the mapped
// stage of an instance.
func (b *Batch) graphStage(s dag.StageID) dag.StageID {
	if int(s) < b.pipeline.spec.Graph.Len() {
		return s
	}
	return b.items[s].Of
}

// Predecessor implements [delivery.Stages].
func (b *Batch) Predecessor(s dag.StageID) (dag.StageID, bool) { return b.pipeline.spec.Behind(s) }

// CleansUp implements [delivery.Stages].
func (b *Batch) CleansUp(s dag.StageID) bool {
	return b.pipeline.spec.Kind(b.graphStage(s)).Trigger == dag.AllDone
}

// Estimate implements [delivery.Stages].
func (b *Batch) Estimate(s dag.StageID) delivery.Estimate {
	g := b.graphStage(s)
	took, known := b.pipeline.durations.Of(g)
	if known {
		return delivery.Estimate{Took: took}
	}

	// Where each stage is a Go function, no two have the same kind, so all kinds are unknown.
	took, atOnce := b.pipeline.durations.Guess(g)
	return delivery.Estimate{Took: took, Guessed: true, AtOnce: atOnce}
}

// NewAttempt begins an attempt. The outcome is that of the attempt before it in a chain, and nil if
// it is not fused; chain has all attempts before it in the chain.
func (b *Batch) NewAttempt(id journal.AttemptID, before *journal.Outcome, chain []journal.AttemptID) *Attempt {
	a := &Attempt{
		AttemptID: id, batch: b, before: before, chain: chain,
		begin: time.Now(), log: tasks.NewLogBuffer(tasks.DefaultLogLimit), revoked: make(chan struct{}),
	}

	// Not derived from a context of the worker: it is stopped by [Attempt.Stop], with a cause.
	a.stopped, a.stop = context.WithCancelCause(context.Background())
	return a
}

// outputs keeps the recorded outputs of the stages that were asked for last; nil for none.
type outputs struct {
	mu      sync.Mutex
	fetched map[dag.StageID][]byte
}
