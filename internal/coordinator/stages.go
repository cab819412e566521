package coordinator

import (
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// stages answers questions about the stages of a run, from its pipeline and its state.
type stages struct {
	spec  *spec.Spec
	state *dag.Run
}

// requirement is what a worker must meet to execute a stage: it listens on the queue, and has a
// handler for the task. Without a task, it must only listen.
type requirement struct{ queue, task string }

// kind returns how a stage is executed.
func (st *stages) kind(s dag.StageID) *spec.Kind { return st.spec.Kind(st.state.GraphStage(s)) }

// queue returns the queue of a stage.
func (st *stages) queue(s dag.StageID) string { return st.spec.Queue(st.state.GraphStage(s)) }

// requirement returns what a worker must meet to execute a stage.
func (st *stages) requirement(s dag.StageID) requirement {
	g := st.state.GraphStage(s)
	return requirement{st.spec.Queue(g), st.spec.Kind(g).Task}
}

// claimable reports whether Redis would grant a claim of the next attempt of a stage.
func (st *stages) claimable(s dag.StageID) bool {
	state := st.state.State(s)
	return state == dag.Ready || state == dag.Retrying
}

// chainNext returns the only dependent of a stage if that dependent still waits. Such a stage can
// follow the first one in the same batch.
func (st *stages) chainNext(s dag.StageID) (next dag.StageID, ok bool) {
	if int(s) >= st.spec.Graph.Len() {
		return 0, false // an instance; its dependents are those of the mapped stage
	}

	dependents := st.spec.Graph.Dependents(s)
	if len(dependents) != 1 || st.state.State(dependents[0]) != dag.Waiting {
		return 0, false
	}
	return dependents[0], true
}

// mapped returns the stage that collects the output of an instance, or of a cell of a matrix. It is
// false for any other stage.
func (st *stages) mapped(s dag.StageID) (dag.StageID, bool) {
	if mapped, _, ok := st.state.Instance(s); ok {
		return mapped, true
	}
	if st.spec.Kind(s).Item == nil {
		return s, false
	}

	for _, of := range st.spec.Graph.Dependents(s) {
		if st.spec.Kind(of).Gather {
			return of, true
		}
	}
	return s, false
}

// limited returns the mapped stage whose max_parallel limits s, and that limit. It is false if
// nothing limits s.
func (st *stages) limited(s dag.StageID) (mapped dag.StageID, limit int, ok bool) {
	if limit = st.kind(s).MaxParallel; limit <= 0 {
		return 0, 0, false
	}
	mapped, ok = st.mapped(s)
	return mapped, limit, ok
}
