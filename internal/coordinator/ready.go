package coordinator

import (
	"container/heap"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// readyQueues holds the stages that may be dispatched, by queue. Of one queue's stages the one with
// the highest priority comes first; of equals, the one with the longest way to the end of the
// pipeline; of equals, the one that was added first.
type readyQueues struct {
	spec      *spec.Spec
	remaining []uint32 // longest path from the stage to a sink
	byName    map[string]*readyQueue
}

func newReadyQueues(sp *spec.Spec) *readyQueues {
	return &readyQueues{sp, sp.Graph.Remaining(), make(map[string]*readyQueue)}
}

// push adds a stage, which may be an instance of one of the graph.
func (q *readyQueues) push(s, graphStage dag.StageID) {
	name := q.spec.Queue(graphStage)
	r := q.byName[name]
	if r == nil {
		r = new(readyQueue)
		q.byName[name] = r
	}
	heap.Push(r, ready{int64(q.spec.Kind(graphStage).Priority)<<32 + int64(q.remaining[graphStage]), s})
}

// ready is a stage that may be dispatched.
type ready struct {
	rank  int64
	stage dag.StageID
}

// readyQueue is a [heap.Interface].
type readyQueue struct{ stages []ready }

func (r *readyQueue) first() dag.StageID { return r.stages[0].stage }
func (r *readyQueue) pop() dag.StageID   { return heap.Pop(r).(ready).stage }

func (r *readyQueue) Len() int { return len(r.stages) }
func (r *readyQueue) Less(i, j int) bool {
	a := r.stages[i]
	b := r.stages[j]
	if a.rank != b.rank {
		return a.rank > b.rank
	}
	return a.stage < b.stage
}
func (r *readyQueue) Swap(i, j int) { r.stages[i], r.stages[j] = r.stages[j], r.stages[i] }
func (r *readyQueue) Push(x any)    { r.stages = append(r.stages, x.(ready)) }
func (r *readyQueue) Pop() any {
	last := len(r.stages) - 1
	s := r.stages[last]
	r.stages = r.stages[:last]
	return s
}
