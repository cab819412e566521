package coordinator

import (
	"container/heap"

	"github.com/godags/godags/dag"
)

// readyQueue holds the ready stages of one queue. The stage with the highest priority comes first;
// of equals, the one with the longest path to the end of the pipeline; of equals, the one with the
// lowest ID. It is a [heap.Interface].
type readyQueue struct{ stages []ready }

// ready is a stage that may be sent.
type ready struct {
	rank  int64
	stage dag.StageID
}

// add adds a stage with its priority and the length of its longest path.
func (r *readyQueue) add(s dag.StageID, priority int, path uint32) {
	// One number that compares priorities first is faster to compare than two.
	heap.Push(r, ready{int64(priority)<<32 + int64(path), s})
}

func (r *readyQueue) peek() dag.StageID { return r.stages[0].stage }
func (r *readyQueue) pop() dag.StageID  { return heap.Pop(r).(ready).stage }

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
