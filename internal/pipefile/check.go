package pipefile

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// build makes the pipeline, or reports why it cannot be.
func (s *source) build(p pipeline, fileName string, v Validator) *spec.Spec {
	b := builder{source: s, pipeline: &p, check: checker{source: s, tasks: v, checked: make(map[string]error)}}
	b.Name, b.Settings = s.pipelineName(p.name, fileName), p.settings
	edges := 0
	for _, st := range p.stages {
		edges += len(st.after)
	}
	b.Grow(len(p.stages)+s.cells, edges)
	b.added = make([]added, 0, len(p.stages)+s.cells)
	for i := range p.stages {
		b.stage(&p.stages[i])
	}
	sp, err := b.Build()
	if invalid, ok := errors.AsType[*dag.InvalidError](err); ok {
		s.reportGraph(invalid, b.added)
	} else if err != nil {
		s.report(0, "%v", err)
	}
	b.checkStages()
	return sp
}

// builder adds the stages of a file to the spec.
type builder struct {
	spec.Builder
	*source
	*pipeline
	check checker
	added []added // by StageID
	after []string
}

// added is where a stage of the graph comes from.
type added struct {
	*stage
	again bool // another cell of the same matrix was there before: what is wrong with its dependencies has been reported
}

// stage adds what the file says of a stage: one of the graph, or the cells of a matrix and the point where they come together.
func (b *builder) stage(st *stage) {
	kind := b.check.kind(st)
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
	if st.matrix.kind == absent || st.forEach.kind != absent {
		b.add(added{stage: st}, st.name.text, b.after, kind)
		return
	}
	cells, items := st.cells()
	for i, name := range cells {
		kind.Item, kind.Index = items[i], i
		b.add(added{st, i > 0}, name, b.after, kind)
	}
	join := spec.Kind{Gather: true, Queue: kind.Queue, Policy: spec.Policy{Priority: kind.Priority}}
	b.add(added{stage: st, again: true}, st.name.text, cells, join)
}

func (b *builder) add(from added, name string, after []string, kind spec.Kind) {
	b.Add(name, after, kind)
	b.added = append(b.added, from)
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
func (s *source) reportGraph(invalid *dag.InvalidError, stages []added) {
	for _, p := range invalid.Problems {
		st := stages[p.Stage]
		place, suggestion := st.name, p.Suggestion
		switch p.Kind {
		case dag.UnknownDependency, dag.SelfDependency:
			if st.again {
				continue
			}
			place, p.Suggestion = st.after[p.Dep], ""
			if of := instanceOf(p.Dependency); fans(stages, of) {
				s.suggest(int(place.at), of, "stage %s comes after %s, one of the instances that %s gets in a run: come after all of them",
					quote(p.Name), quote(p.Dependency), quote(of))
				continue
			}
			if some, rest, ok := strings.Cut(p.Dependency, ","); ok && suggestion == "" {
				s.report(int(place.at), "%v: a list of names is written in brackets, as in [%s, %s]", p, strings.TrimSpace(some), strings.TrimSpace(rest))
				continue
			}
		case dag.Cycle:
			if i := slices.IndexFunc(st.after, func(v value) bool { return v.text == p.Path[1] }); i >= 0 {
				place = st.after[i] // else it is the end of a matrix, that comes after its cells
			}
		case dag.DuplicateName:
			s.reportSecond(int(place.at), int(stages[p.First].name.at), "%v", p)
			continue
		}
		s.suggest(int(place.at), suggestion, "%v", p)
	}
}

// fans reports whether there is a stage with for_each that has the name.
func fans(stages []added, name string) bool {
	return name != "" && slices.ContainsFunc(stages, func(st added) bool { return st.name.text == name && st.forEach.kind == text })
}

// checker finds out what stages execute.
type checker struct {
	*source
	tasks   Validator
	checked map[string]error // by task and parameters: many stages execute the same
}

// kind returns how a stage is executed.
func (c *checker) kind(st *stage) spec.Kind {
	kind, place := spec.Kind{Queue: st.policy.queue, Policy: st.policy.Policy}, st.task
	kind.When, kind.ForEach = st.policy.when.text, st.forEach.text
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
