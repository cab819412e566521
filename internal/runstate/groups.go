package runstate

import (
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
)

// Group is the ready stages that one reason keeps from starting.
type Group struct {
	// Blocked is set if no live worker can execute the stages, so that a person has to act.
	// Otherwise they wait for a free slot, another stage or the coordinator, and Block has nothing
	// but the reason.
	Blocked bool
	Block

	Stages int           // number of stages
	First  []dag.StageID // the first of them in the order of the pipeline, at most [GroupNames]
}

// GroupNames is the number of stages that a [Group] names.
const GroupNames = 3

// String says how many stages wait, and why.
func (g *Group) String() string {
	if g.Stages == 1 {
		return "1 stage waits: " + g.Reason.Text
	}
	return fmt.Sprintf("%d stages wait: %s", g.Stages, g.Reason.Text)
}

// Groups returns the ready stages by reason. Blocked groups come first, since only they need a
// person. Otherwise the order is that of the pipeline.
func (e *Explainer) Groups() []Group {
	if e.run.DAG.Count(dag.Ready) == 0 {
		return nil
	}

	var groups []Group
	index := make(map[api.Reason]int)
	for s := range e.run.DAG.Stages() {
		if e.run.DAG.State(s) != dag.Ready {
			continue
		}

		reason, _ := e.Reason(s)
		i, known := index[reason]
		if !known {
			i = len(groups)
			index[reason] = i
			groups = append(groups, e.newGroup(s, reason))
		}

		g := &groups[i]
		g.Stages++
		if len(g.First) < GroupNames {
			g.First = append(g.First, s)
		}
	}

	// Stable, to keep the order of the pipeline.
	slices.SortStableFunc(groups, func(a, b Group) int {
		switch {
		case a.Blocked == b.Blocked:
			return 0
		case a.Blocked:
			return -1
		}
		return 1
	})
	return groups
}

// newGroup returns the group of a reason, without stages. The reason is that of stage s.
func (e *Explainer) newGroup(s dag.StageID, reason api.Reason) Group {
	// A stage on a blocked queue may have a reason that comes before the block, such as a run
	// without a coordinator.
	b, blocked := e.block(e.queueOf(s), e.kindOf(s).Task)
	if blocked && b.Reason == reason {
		return Group{Blocked: true, Block: b}
	}
	return Group{Block: Block{Reason: reason}}
}

// Waiting returns the stages that are neither running nor terminal, each with its reason, in the
// order of the pipeline.
func (e *Explainer) Waiting() []api.WaitingStage {
	list := []api.WaitingStage{} // not nil: its JSON form is a list even without stages
	for s := range e.run.DAG.Stages() {
		if reason, ok := e.Reason(s); ok {
			list = append(list, api.WaitingStage{Stage: e.run.Name(s), State: e.run.DAG.State(s).String(), Reason: reason})
		}
	}
	return list
}

// Unreachable returns the group of all ready stages while Redis is unreachable. Nothing else is
// known about them then.
func Unreachable(ready int) Group {
	return Group{Stages: ready, Block: Block{Reason: api.Reason{Code: api.ReasonRedis, Text: "Redis is unreachable"}}}
}
