package coordinator

import (
	"container/heap"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// readyQueues holds the stages that may be dispatched, by queue. Of one queue's stages the one with the longest
// way to the end of the pipeline comes first; of equals, the one that was added to the pipeline first.
type readyQueues struct {
	spec      *spec.Spec
	remaining []uint32 // longest path from the stage to a sink
	byName    map[string]*readyQueue
}

func newReadyQueues(sp *spec.Spec) *readyQueues {
	return &readyQueues{sp, sp.Graph.Remaining(), make(map[string]*readyQueue)}
}

func (q *readyQueues) push(s dag.StageID) {
	name := q.spec.Queue(s)
	r := q.byName[name]
	if r == nil {
		r = &readyQueue{remaining: q.remaining}
		q.byName[name] = r
	}
	heap.Push(r, s)
}

// readyQueue is a [heap.Interface].
type readyQueue struct {
	remaining []uint32
	stages    []dag.StageID
}

func (r *readyQueue) pop() dag.StageID { return heap.Pop(r).(dag.StageID) }

func (r *readyQueue) Len() int { return len(r.stages) }
func (r *readyQueue) Less(i, j int) bool {
	a, b := r.stages[i], r.stages[j]
	if r.remaining[a] != r.remaining[b] {
		return r.remaining[a] > r.remaining[b]
	}
	return a < b
}
func (r *readyQueue) Swap(i, j int) { r.stages[i], r.stages[j] = r.stages[j], r.stages[i] }
func (r *readyQueue) Push(x any)    { r.stages = append(r.stages, x.(dag.StageID)) }
func (r *readyQueue) Pop() any {
	last := len(r.stages) - 1
	s := r.stages[last]
	r.stages = r.stages[:last]
	return s
}
