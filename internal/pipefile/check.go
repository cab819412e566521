package pipefile

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// build makes the pipeline, or reports why it cannot be.
func (s *source) build(p pipeline, fileName string, v Validator) *spec.Spec {
	b := spec.Builder{Name: s.pipelineName(p.name, fileName)}
	edges := 0
	for _, st := range p.stages {
		edges += len(st.after)
	}
	b.Grow(len(p.stages), edges)
	check := checker{source: s, tasks: v, checked: make(map[string]error)}
	added := make([]*stage, 0, len(p.stages)) // by StageID
	var after []string
	for i := range p.stages {
		st := &p.stages[i]
		kind := check.kind(st)
		if st.name.kind == absent {
			s.report(st.at, "%v has no name", st)
		}
		if st.name.kind != text {
			continue
		}
		after = after[:0]
		for _, dep := range st.after {
			after = append(after, dep.text)
		}
		b.Add(st.name.text, after, kind)
		added = append(added, st)
	}
	sp, err := b.Build()
	if invalid, ok := errors.AsType[*dag.InvalidError](err); ok {
		s.reportGraph(invalid, added)
	} else if err != nil {
		s.report(0, "%v", err)
	}
	return sp
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
func (s *source) reportGraph(invalid *dag.InvalidError, stages []*stage) {
	for _, p := range invalid.Problems {
		st := stages[p.Stage]
		place, suggestion := st.name, p.Suggestion
		switch p.Kind {
		case dag.UnknownDependency, dag.SelfDependency:
			place, p.Suggestion = st.after[p.Dep], ""
		case dag.Cycle:
			place = st.after[slices.IndexFunc(st.after, func(v value) bool { return v.text == p.Path[1] })]
		case dag.DuplicateName:
			s.reportSecond(int(place.at), int(stages[p.First].name.at), "%v", p)
			continue
		}
		s.suggest(int(place.at), suggestion, "%v", p)
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
	kind, place := spec.Kind{Queue: st.queue.text}, st.task
	switch {
	case st.run.kind != absent && st.task.kind != absent:
		c.report(int(max(st.run.at, st.task.at)), "a stage has run or task, not both")
	case st.run.kind != absent && st.params.kind != absent:
		c.report(int(st.params.at), "params are for a task: a stage with run has none")
	case st.run.kind == text || st.run.kind == list:
		kind.Task, kind.Params, place = "command", commandParams(st.run), st.run
	case st.task.kind == text:
		kind.Task, kind.Params = st.task.text, taskParams(st.params)
	case st.task.kind == absent && st.params.kind != absent:
		c.report(int(st.params.at), "params without a task: write which task takes them")
	}
	if kind.Task != "" && c.tasks != nil {
		c.validate(kind, st, place)
	}
	return kind
}

func commandParams(run value) json.RawMessage {
	key := value{kind: text, text: "run"}
	if run.kind == list {
		key.text = "argv"
	}
	return appendJSON(nil, value{kind: mapping, items: []value{key, run}})
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
