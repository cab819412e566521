package pipefile

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/condition"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// build makes the pipeline, or reports why it cannot be.
func (s *source) build(p pipeline, fileName string, v Validator) *spec.Spec {
	b := builder{source: s, pipeline: &p, check: checker{source: s, tasks: v, checked: make(map[string]error)}}
	b.Name = s.pipelineName(p.name, fileName)
	b.Settings = p.settings
	if !b.readStages() {
		return nil
	}

	sp, err := b.Build()
	if invalid, ok := errors.AsType[*dag.InvalidError](err); ok {
		b.reportGraph(invalid)
	} else if err != nil {
		s.report(0, "%v", err)
	}

	b.checkLists()
	return sp
}

// builder adds the stages of a file to the spec.
type builder struct {
	spec.Builder
	*source
	*pipeline
	check    checker
	compiled map[string]*condition.Condition
	added    []added // by StageID
	fans     []fan
	after    []string

	again     *stage // that was read again last
	againItem uint32 // which one it is
}

// added is where a stage of the graph comes from. There may be millions.
type added struct {
	name string
	at   uint32 // of the name
	item uint32 // in the list of stages: where it begins if the list is open, else its index
	cell bool   // of a matrix
	// another cell of the same matrix was there before: what is wrong with its dependencies has
	// been reported
	again bool
	works bool // it has run or task
}

// fan is a stage with for_each.
type fan struct {
	name string
	over value
}

// readStages adds all stages. It returns false if they cannot be read to the end.
func (b *builder) readStages() bool {
	v := b.list
	switch {
	case v.kind == absent:
		return true
	case v.kind != list:
		b.report(int(v.at), "stages must be a list of stages, not %v", v.kind)
		return true
	}

	b.Grow(len(v.items), 0)
	read := 0
	whole := b.each(v, func(i int, item value) bool {
		read++
		if item.kind != mapping {
			b.report(int(item.at), "a stage is a mapping with the key name, not %v", item.kind)
			return true
		}

		st := stage{number: i + 1, at: int(item.at), policy: &b.defaults}
		readKeys(b.source, "a stage", item, stageKeys, &st)
		at := item.at
		if !v.open {
			at = uint32(i)
		}

		b.stage(&st, at)
		return b.count(&st)
	})

	if read == 0 && whole {
		b.report(int(v.at), "the pipeline has no stages: the list is empty")
	}
	return whole
}

// count reports a file that has more stages than memory should be spent on.
func (b *builder) count(st *stage) bool {
	b.parts += 1 + len(st.after)
	if b.parts > maxParts {
		b.report(st.at, "the file has more than %d million stages and dependencies: build a pipeline of this size in Go", maxParts/1_000_000)
	}
	return b.parts <= maxParts
}

// stage adds what the file says of a stage: one of the graph, or the cells of a matrix and the
// point where they come together.
func (b *builder) stage(st *stage, item uint32) {
	kind := b.check.kind(st)
	if st.policy.when.text != "" && len(b.problems) < maxProblems {
		b.checkWhen(st)
	}

	if st.forEach.kind == text {
		b.fans = append(b.fans, fan{st.name.text, st.forEach})
	}

	if st.name.kind == absent {
		b.report(st.at, "%v has no name", st)
	}

	if st.name.kind != text {
		return
	}

	b.after = b.after[:0]
	for _, dep := range st.after {
		b.after = append(b.after, dep.text)
	}

	from := added{name: st.name.text, at: st.name.at, item: item, works: st.run.kind != absent || st.task.kind != absent}
	if st.matrix.kind == absent || st.forEach.kind != absent {
		b.add(from, b.after, kind)
		return
	}

	cells, items := st.cells()
	from.cell = true
	for i, name := range cells {
		kind.Item = items[i]
		kind.Index = i
		from.name = name
		from.again = i > 0
		b.add(from, b.after, kind)
	}

	join := spec.Kind{Gather: true, Queue: kind.Queue, Policy: spec.Policy{Priority: kind.Priority}}
	from.name = st.name.text
	from.again = true
	from.cell = false
	b.add(from, cells, join)
}

func (b *builder) add(from added, after []string, kind spec.Kind) {
	b.Add(from.name, after, kind)
	b.added = append(b.added, from)
}

// stageOf reads a stage again, to find the place of a problem. To keep what the file says of each
// would take hundreds of bytes.
func (b *builder) stageOf(id dag.StageID) *stage {
	item := b.added[id].item
	if b.again != nil && b.againItem == item {
		return b.again
	}

	quiet := &source{bytes: b.bytes} // all problems of it have been reported
	var v value
	if b.list.open {
		r := quiet.within(b.list)
		r.pos = int(item)
		v, _ = r.value()
	} else {
		v = b.list.items[item]
	}

	st := &stage{at: int(v.at), policy: &b.defaults}
	readKeys(quiet, "a stage", v, stageKeys, st)
	b.again = st
	b.againItem = item
	return st
}

// pipelineName returns a legal name in any case: an illegal one must not hide other problems.
func (s *source) pipelineName(name value, fileName string) string {
	switch name.kind {
	case text:
		if err := dag.CheckName(name.text); err != nil {
			s.report(int(name.at), "pipeline: %v", err)
			return "illegal"
		}
		return name.text

	case absent:
		if err := dag.CheckName(fileName); err != nil {
			s.report(0, `the pipeline has its name from the file: %v: write "name:" and another one`, err)
			return "illegal"
		}
	}

	return fileName
}

// reportGraph gives the problems of names and dependencies their positions.
func (b *builder) reportGraph(invalid *dag.InvalidError) {
	fans := make(map[string]bool, len(b.fans))
	for _, f := range b.fans {
		fans[f.name] = f.name != ""
	}

	for _, p := range invalid.Problems {
		from := b.added[p.Stage]
		ofDep := p.Kind == dag.UnknownDependency || p.Kind == dag.SelfDependency
		if from.again && ofDep {
			continue
		}
		if len(b.problems) == maxProblems { // to find the place of each of a million takes long
			b.omitted++
			continue
		}

		place := int(from.at)
		suggestion := p.Suggestion
		switch p.Kind {
		case dag.UnknownDependency, dag.SelfDependency:
			place = int(b.stageOf(p.Stage).after[p.Dep].at)
			p.Suggestion = ""
			if of := instanceOf(p.Dependency); fans[of] {
				b.suggest(place, of, "stage %s comes after %s, one of the instances that %s gets in a run: come after all of them",
					quote(p.Name), quote(p.Dependency), quote(of))
				continue
			}

			if some, rest, ok := strings.Cut(p.Dependency, ","); ok && suggestion == "" {
				b.report(place, "%v: a list of names is written in brackets, as in [%s, %s]", p, strings.TrimSpace(some), strings.TrimSpace(rest))
				continue
			}

		case dag.Cycle:
			after := b.stageOf(p.Stage).after
			if i := slices.IndexFunc(after, func(v value) bool { return v.text == p.Path[1] }); i >= 0 {
				// else it is the end of a matrix, that comes after its cells
				place = int(after[i].at)
			}

		case dag.DuplicateName:
			b.reportSecond(place, int(b.added[p.First].at), "%v", p)
			continue
		}

		b.suggest(place, suggestion, "%v", p)
	}
}

// checker finds out what stages execute.
type checker struct {
	*source
	tasks   Validator
	checked map[string]error // by task and parameters: many stages execute the same
}

// kind returns how a stage is executed.
func (c *checker) kind(st *stage) spec.Kind {
	kind := spec.Kind{Queue: st.policy.queue, Policy: st.policy.Policy}
	place := st.task
	kind.When = st.policy.when.text
	kind.ForEach = st.forEach.text
	switch {
	case st.run.kind != absent && st.task.kind != absent:
		c.report(int(max(st.run.at, st.task.at)), "a stage has run or task, not both")
	case st.run.kind != absent && st.params.kind != absent:
		c.report(int(st.params.at), "params are for a task: a stage with run has none")
	case st.run.kind == text || st.run.kind == list:
		kind.Task, kind.Params, place = "command", st.commandParams(), st.run
	case st.task.kind == text:
		kind.Task, kind.Params = st.task.text, taskParams(st.params)
	case st.task.kind == absent && st.params.kind != absent:
		c.report(int(st.params.at), "params without a task: write which task takes them")
	}

	if kind.Task != "" && c.tasks != nil {
		c.validate(kind, st, place)
	}

	c.fit(st, &kind)
	return kind
}

// taskParams returns nothing for an empty mapping: it means the same, so it should be the same.
func taskParams(params value) json.RawMessage {
	if len(params.items) == 0 {
		return nil
	}
	return appendJSON(nil, params)
}

func (c *checker) validate(kind spec.Kind, st *stage, place value) {
	id := kind.Task + "\x00" + string(kind.Params)
	err, known := c.checked[id]
	if !known {
		err = c.tasks.Validate(kind.Task, kind.Params)
		c.checked[id] = err
	}
	if err == nil {
		return
	}
	if unknown, ok := errors.AsType[*tasks.UnknownError](err); ok && unknown.Suggestion != "" {
		c.suggest(int(place.at), unknown.Suggestion, "%v: %v %s", st, tasks.ErrUnknownTask, quote(kind.Task))
		return
	}

	if len(st.params.items) > 0 && !errors.Is(err, tasks.ErrUnknownTask) {
		place = st.params
	}

	c.report(int(place.at), "%v: %v", st, err)
}
