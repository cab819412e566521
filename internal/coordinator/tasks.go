package coordinator

import (
	"fmt"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
)

// tasks turns batches into tasks of the queue.
type tasks struct {
	run    Run
	stages *stages
	// journal entry of the success of each list that has instances
	lists map[dag.StageID]journal.Position

	reopened int // times that the run was reopened
	shared   int // batches of several stages so far
	resent   int // batches that were missing so far
}

func newTasks(run Run, st *stages) *tasks {
	return &tasks{run: run, stages: st, lists: make(map[dag.StageID]journal.Position)}
}

// build returns the task of a batch, and writes its ID into the batch. The task follows from the
// journal up to a position.
func (t *tasks) build(b *batch, position journal.Position) queue.Task {
	b.id = t.taskID(b)
	body := queue.Batch{Run: string(t.run.ID), Pipeline: t.run.Spec.Name, Incarnation: t.run.Incarnation, Digest: t.run.Digest, After: string(position)}
	for _, s := range b.stages {
		body.Items = append(body.Items, t.item(s))
	}
	return queue.Task{ID: b.id, Label: queue.Label(len(body.Items), t.stages.state.Name(b.stages[0])), Batch: body}
}

// taskID returns the ID of the task of a batch. That of a single stage is the same for all
// coordinators: the queue refuses a second task with the same ID, so a coordinator that takes over
// adds nothing twice. No other coordinator would make the same batch of several stages, so the ID
// of such a batch names the epoch.
func (t *tasks) taskID(b *batch) string {
	first := b.stages[0]
	id := t.attemptID(first, t.stages.state.Attempt(first))
	if len(b.stages) > 1 {
		t.shared++
		id += fmt.Sprintf("+%d.%d.%d", len(b.stages)-1, t.run.Epoch, t.shared)
	}

	// The queue may still have a task from before the run was reopened, which workers refuse.
	if t.reopened > 0 {
		id += fmt.Sprintf("!%d", t.reopened+1)
	}

	// The queue may still know the ID of a task whose body it has lost.
	if t.resent > 0 {
		id += fmt.Sprintf("~%d", t.resent)
	}
	return id
}

// attemptID returns how the ID of a task begins whose first stage is this attempt.
func (t *tasks) attemptID(s dag.StageID, number dag.Attempt) string {
	return queue.TaskID(string(t.run.ID), t.stages.state.Name(s), int(number))
}

// item returns what a worker needs to know of a stage. A worker has no state of the run, so the
// instances and the attempts that succeeded are told to it.
func (t *tasks) item(s dag.StageID) queue.Item {
	state := t.stages.state
	i := queue.Item{Stage: s, Attempt: state.Attempt(s)}
	if base, n, ok := state.Instances(s); ok {
		i.List = t.listOf(s)
		i.First = base
		i.Count = n
		i.Deps = queue.EncodeSucceeded(n, func(k int) dag.Attempt { return t.succeeded(base + dag.StageID(k)) })
		return i
	}

	if mapped, index, ok := state.Instance(s); ok {
		i.List = t.listOf(mapped)
		i.Of = mapped
		i.Index = index
	}

	deps := t.stages.spec.Graph.Deps(state.GraphStage(s))
	i.Deps = queue.EncodeSucceeded(len(deps), func(k int) dag.Attempt { return t.succeeded(deps[k]) })
	return i
}

// listOf returns the entry with the success of the list of a mapped stage. The entry identifies the
// list: a later run may have the same ID.
func (t *tasks) listOf(mapped dag.StageID) string {
	list, _ := t.stages.spec.Graph.Lookup(t.stages.spec.Kind(mapped).ForEach)
	return string(t.lists[list])
}

// succeeded returns the attempt of a stage that has succeeded, or that will have when an earlier
// stage of the same batch is executed. It is 0 if the stage will not succeed.
func (t *tasks) succeeded(s dag.StageID) dag.Attempt {
	state := t.stages.state.State(s)
	if state == dag.Failed || state == dag.Skipped || state == dag.Cancelled {
		return 0
	}
	return t.stages.state.Attempt(s)
}
