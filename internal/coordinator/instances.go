package coordinator

import (
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/queue"
)

// graphStage returns the stage of the graph that says how s is executed: itself, or the template of
// an instance.
func (d *Driver) graphStage(s dag.StageID) dag.StageID {
	template, _, _ := d.state.Instance(s)
	return template
}

// claimable reports whether a worker could be granted the stage's next attempt.
func (d *Driver) claimable(s dag.StageID) bool {
	state := d.state.State(s)
	return state == dag.Ready || state == dag.Retrying
}

// parallel is how many instances of a template are in flight, and those that wait for one of them
// to land.
type parallel struct {
	flying int
	held   []dag.StageID
}

// counted returns the counts of the template of which s is an instance, or of the matrix of which
// it is a cell; nil for any other stage, and if any number may fly.
func (d *Driver) counted(s dag.StageID) (*parallel, int) {
	most := d.spec.Kind(d.graphStage(s)).MaxParallel
	if most <= 0 {
		return nil, 0
	}

	of, ok := d.gatherer(s)
	if !ok {
		return nil, 0
	}

	p := d.parallel[of]
	if p == nil {
		p = new(parallel)
		d.parallel[of] = p
	}

	return p, most
}

// gatherer returns the stage that gathers what an instance, or a cell of a matrix, leaves. It is
// false for any other stage.
func (d *Driver) gatherer(s dag.StageID) (dag.StageID, bool) {
	if template, _, ok := d.state.Instance(s); ok {
		return template, true
	}

	if d.spec.Kind(s).Item == nil {
		return s, false
	}

	for _, of := range d.spec.Graph.Dependents(s) {
		if d.spec.Kind(of).Gather {
			return of, true
		}
	}

	return s, false
}

// heldBack puts a stage aside if as many instances of its template, or cells of its matrix, are in
// flight as may be.
func (d *Driver) heldBack(s dag.StageID) bool {
	p, most := d.counted(s)
	if p == nil || p.flying < most {
		return false
	}
	p.held = append(p.held, s)
	return true
}

// letGo lets an instance take off that waited until another landed.
func (d *Driver) letGo(landed dag.StageID) {
	p, _ := d.counted(landed)
	if p == nil {
		return
	}

	p.flying--
	for len(p.held) > 0 {
		s := p.held[0]
		p.held = p.held[1:]
		if d.claimable(s) && d.flights[s] == nil {
			d.queueUp(s)
			return
		}
	}
}

// item is what a worker is told of an attempt.
func (d *Driver) item(s dag.StageID) queue.Item {
	i := queue.Item{Stage: s, Attempt: d.flights[s].attempt}
	if template, index, ok := d.state.Instance(s); ok {
		list, _ := d.spec.Graph.Lookup(d.spec.Kind(template).ForEach)
		i.Of = template
		i.Index = index
		i.List = d.lists[list]
	} else if base, n, ok := d.state.Instances(s); ok {
		list, _ := d.spec.Graph.Lookup(d.spec.Kind(s).ForEach)
		i.First = base
		i.Count = n
		i.List = d.lists[list]
		i.Deps = queue.ExceptionsOf(n, func(k int) dag.Attempt { return d.succeeded(base + dag.StageID(k)) })
		return i
	}

	deps := d.spec.Graph.Deps(d.graphStage(s))
	i.Deps = queue.ExceptionsOf(len(deps), func(k int) dag.Attempt { return d.succeeded(deps[k]) })
	return i
}

// succeeded returns the attempt of a stage that has succeeded, or will have when a stage that
// travels with it is executed; 0 if none has.
func (d *Driver) succeeded(s dag.StageID) dag.Attempt {
	if state := d.state.State(s); state == dag.Failed || state == dag.Skipped || state == dag.Cancelled {
		return 0
	}
	return d.state.Attempt(s)
}
