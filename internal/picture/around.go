package picture

import (
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
)

// Around returns the part of a picture that is at most so many dependencies before or after a
// stage.
func Around(in Input, centre dag.StageID, depth int) (Input, error) {
	g := in.Graph

	// Siblings are not reached: they are behind a change of direction.
	near := make([]bool, g.Len())
	for _, step := range [...]func(dag.StageID) []dag.StageID{g.Deps, g.Dependents} {
		near[centre] = true
		edge := []dag.StageID{centre}
		seen := map[dag.StageID]bool{centre: true}
		for range depth {
			var further []dag.StageID
			for _, s := range edge {
				for _, other := range step(s) {
					if !seen[other] {
						seen[other] = true
						near[other] = true
						further = append(further, other)
					}
				}
			}
			edge = further
		}
	}

	return in.part(near, fmt.Sprintf("of %s, around %s", commas(g.Len()), g.Name(centre)))
}

// part returns the picture of some of the stages.
func (in Input) part(keep []bool, what string) (Input, error) {
	var b dag.Builder
	var ids []dag.StageID // of the stages that are kept, in the whole graph
	for s := range in.Graph.Len() {
		if !keep[s] {
			continue
		}

		var after []string
		for _, d := range in.Graph.Deps(dag.StageID(s)) {
			if keep[d] {
				after = append(after, in.Graph.Name(d))
			}
		}
		b.Add(in.Graph.Name(dag.StageID(s)), after...)
		ids = append(ids, dag.StageID(s))
	}

	g, err := b.Build()
	if err != nil {
		return in, fmt.Errorf("part of the graph: %w", err)
	}

	whole := in
	in.Graph = g
	in.Part = what
	if whole.State != nil {
		in.State = func(s dag.StageID) dag.State { return whole.State(ids[s]) }
	}
	if whole.Label != nil {
		in.Label = func(s dag.StageID) string { return whole.Label(ids[s]) }
	}
	if whole.Badge != nil {
		in.Badge = func(s dag.StageID) string { return whole.Badge(ids[s]) }
	}
	if whole.Hover != nil {
		in.Hover = func(s dag.StageID) []string { return whole.Hover(ids[s]) }
	}

	in.Path = nil
	for _, s := range whole.Path {
		if part, kept := slices.BinarySearch(ids, s); kept {
			in.Path = append(in.Path, dag.StageID(part))
		}
	}

	if whole.Reason != nil {
		in.Reason = func(s dag.StageID) (api.Reason, bool) { return whole.Reason(ids[s]) }
	}
	return in, nil
}
