package spec

import (
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
)

// Rules returns what a run of the pipeline goes by. The caller must not change them.
func (s *Spec) Rules() dag.Rules { return s.rules }

// CleansUp reports whether the pipeline has stages that are executed in a cancelled run too.
func (s *Spec) CleansUp() bool {
	return slices.ContainsFunc(s.kinds, func(k Kind) bool { return k.Trigger == dag.AllDone })
}

// bind derives the rules from the kinds. It fails if a stage has instances for the elements of
// something that is not one of its dependencies.
func (s *Spec) bind() error {
	s.rules = dag.Rules{Stop: s.Stop}
	plain := true
	lists := make([]dag.StageID, len(s.kinds))
	for i, k := range s.kinds {
		rule := dag.Rule{Trigger: k.Trigger, Retries: k.Retries, Gather: k.Gather}
		if k.ForEach != "" {
			id, ok := s.Graph.Lookup(k.ForEach)
			if !ok {
				return fmt.Errorf("pipeline %q: for_each names the stage %.100q, which does not exist", s.Name, k.ForEach)
			}
			lists[i], rule.Each = id, &id
		}

		plain = plain && rule == dag.Rule{}
		s.rules.Kinds = append(s.rules.Kinds, rule)
	}

	if plain {
		s.rules.Kinds = nil
		return nil
	}

	s.rules.KindOf = s.kindOf
	for id, kind := range s.kindOf {
		if s.rules.Kinds[kind].Each != nil && !slices.Contains(s.Graph.Deps(dag.StageID(id)), lists[kind]) {
			return fmt.Errorf("pipeline %q: stage %q does not come after %q, for whose elements it has instances",
				s.Name, s.Graph.Name(dag.StageID(id)), s.Graph.Name(lists[kind]))
		}
	}

	return nil
}
