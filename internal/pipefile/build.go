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

// build makes the spec of a pipeline, or reports why it cannot.
func build(d *decoder, p pipeline, fileName string, v Validator) *spec.Spec {
	b := builder{decoder: d, pipeline: &p, check: checker{decoder: d, tasks: v, checked: make(map[string]error)}}
	b.Name = d.pipelineName(p.name, fileName)
	b.Settings = p.settings
	if !b.readStages() {
		return nil
	}

	// The graph is built even if stages have problems, so that unknown dependencies and cycles are
	// reported too.
	sp, err := b.Build()
	if invalid, ok := errors.AsType[*dag.InvalidError](err); ok {
		b.reportGraph(invalid)
	} else if err != nil {
		d.report(0, "%v", err)
	}

	b.checkLists()
	return sp
}

// builder adds the stages of a file to a spec.
type builder struct {
	spec.Builder
	*decoder
	*pipeline
	check    checker
	compiled map[string]*condition.Condition
	added    []added // by StageID
	mapped   []mappedStage
	after    []string

	again     *stage // the stage that was read again last; see stageOf
	againItem uint32 // its item
}

// added is the origin of a stage of the graph. There may be millions, so it holds no more than
// needed.
type added struct {
	name string
	at   uint32 // of the name
	item uint32 // in the list of stages: where it begins if the list is open, else its index
	cell bool   // of a matrix
	// not the first cell of its matrix: problems of its dependencies have been reported
	again bool
	works bool // it has run or task
}

// mappedStage is a stage with for_each.
type mappedStage struct {
	name string
	over value
}

// readStages adds all stages. It returns false if it stopped before the last.
func (b *builder) readStages() bool {
	v := b.list
	switch {
	case v.kind == absent:
		return true
	case v.kind != list:
		b.report(int(v.at), "stages must be a list of stages, not %v", v.kind)
		return true
	}

	// The items of an open list are not known yet. Their number is 0 here, and the graph grows.
	b.Grow(len(v.items), 0)
	read := 0
	whole := b.each(v, func(i int, item value) bool {
		read++
		if item.kind != mapping {
			b.report(int(item.at), "a stage is a mapping with the key name, not %v", item.kind)
			return true
		}

		st := stage{number: i + 1, at: int(item.at), policy: &b.defaults}
		readKeys(b.decoder, "a stage", item, stageKeys, &st)
		// A stage is found again by its place in the file, or else by its index. See stageOf.
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

// count counts stages and dependencies, and reports a file that has too many for the memory.
func (b *builder) count(st *stage) bool {
	b.parts += 1 + len(st.after)
	if b.parts > maxParts {
		b.report(st.at, "the file has more than %d million stages and dependencies: build a pipeline of this size in Go", maxParts/1_000_000)
	}
	return b.parts <= maxParts
}

// stage adds a stage of the file: one stage of the graph, or the cells of a matrix and the stage
// that gathers them.
func (b *builder) stage(st *stage, item uint32) {
	kind := b.check.kind(st)
	// Compiling a condition is slow, and a further problem would be omitted.
	if st.policy.when.text != "" && len(b.problems) < maxProblems {
		b.checkWhen(st)
	}

	if st.forEach.kind == text {
		b.mapped = append(b.mapped, mappedStage{st.name.text, st.forEach})
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

	// for_each and matrix together have been reported: one stage is enough to check the rest.
	from := added{name: st.name.text, at: st.name.at, item: item, works: st.run.kind != absent || st.task.kind != absent}
	if st.matrix.kind == absent || st.forEach.kind != absent {
		b.add(from, b.after, kind)
		return
	}

	// Each cell is a stage of the graph, with its item. A cell can fail and be retried alone.
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
	// Its dependencies are the cells, which the user did not write.
	from.name = st.name.text
	from.again = true
	from.cell = false
	b.add(from, cells, join)
}

func (b *builder) add(from added, after []string, kind spec.Kind) {
	b.Add(from.name, after, kind)
	b.added = append(b.added, from)
}

// stageOf reads a stage again, to find the place of a problem. Keeping all stages as they were read
// would take hundreds of bytes each.
func (b *builder) stageOf(id dag.StageID) *stage {
	item := b.added[id].item
	// Problems of one stage follow each other.
	if b.again != nil && b.againItem == item {
		return b.again
	}

	quiet := newDecoder(b.bytes) // its problems have been reported, and are dropped
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

// pipelineName returns the name of the pipeline. It replaces an illegal one, which must not hide
// other problems.
func (d *decoder) pipelineName(name value, fileName string) string {
	switch name.kind {
	case text:
		if err := dag.CheckName(name.text); err != nil {
			d.report(int(name.at), "pipeline: %v", err)
			return "illegal"
		}
		return name.text

	// A file without a name is usual: `pipeline.yaml` is the pipeline "pipeline".
	case absent:
		if err := dag.CheckName(fileName); err != nil {
			d.report(0, `the pipeline has its name from the file: %v: write "name:" and another one`, err)
			return "illegal"
		}
	}

	return fileName
}

// reportGraph gives the problems of names and dependencies their positions.
func (b *builder) reportGraph(invalid *dag.InvalidError) {
	mapped := make(map[string]bool, len(b.mapped))
	for _, f := range b.mapped {
		mapped[f.name] = f.name != ""
	}

	// The graph knows names only. The place of a dependency is found by a second look at its stage.
	for _, p := range invalid.Problems {
		from := b.added[p.Stage]
		ofDep := p.Kind == dag.UnknownDependency || p.Kind == dag.SelfDependency
		if from.again && ofDep {
			continue
		}
		if len(b.problems) == maxProblems { // finding a million places takes long
			b.omitted++
			continue
		}

		place := int(from.at)
		suggestion := p.Suggestion
		switch p.Kind {
		case dag.UnknownDependency, dag.SelfDependency:
			place = int(b.stageOf(p.Stage).after[p.Dep].at)
			p.Suggestion = ""
			// The user has seen such names in a run, and tries to use one. They do not exist before
			// it.
			if of := instanceOf(p.Dependency); mapped[of] {
				b.suggest(place, of, "stage %s comes after %s, one of the instances that %s gets in a run: come after all of them",
					quote(p.Name), quote(p.Dependency), quote(of))
				continue
			}

			// "after: a, b" is one text in YAML, and a frequent mistake.
			if some, rest, ok := strings.Cut(p.Dependency, ","); ok && suggestion == "" {
				b.report(place, "%v: a list of names is written in brackets, as in [%s, %s]", p, strings.TrimSpace(some), strings.TrimSpace(rest))
				continue
			}

		case dag.Cycle:
			after := b.stageOf(p.Stage).after
			if i := slices.IndexFunc(after, func(v value) bool { return v.text == p.Path[1] }); i >= 0 {
				// If there is none, the stage gathers a matrix, and its dependencies are cells.
				place = int(after[i].at)
			}

		case dag.DuplicateName:
			b.reportSecond(place, int(b.added[p.First].at), "%v", p)
			continue
		}

		b.suggest(place, suggestion, "%v", p)
	}
}

// checker checks what stages execute.
type checker struct {
	*decoder
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
	// The later one of the two is marked: the first was right until then.
	case st.run.kind != absent && st.task.kind != absent:
		c.report(int(max(st.run.at, st.task.at)), "a stage has run or task, not both")
	case st.run.kind != absent && st.params.kind != absent:
		c.report(int(st.params.at), "params are for a task: a stage with run has none")
	case st.run.kind == text || st.run.kind == list:
		kind.Task, kind.Params, place = "command", st.commandParams(c.folder), st.run
	case st.task.kind == text:
		kind.Task, kind.Params = st.task.text, taskParams(st.params)
		if kind.Task == "command" && st.params.kind == mapping {
			kind.Params = taskParams(startIn(c.folder, st.params))
		}
	case st.task.kind == absent && st.params.kind != absent:
		c.report(int(st.params.at), "params without a task: write which task takes them")
	}

	if kind.Task != "" && c.tasks != nil {
		c.validate(kind, st, place)
	}

	c.fit(st, &kind)
	return kind
}

// taskParams returns the JSON of parameters, or nil for none. An empty mapping is none too: the
// same pipeline must have the same digest.
func taskParams(params value) json.RawMessage {
	if len(params.items) == 0 {
		return nil
	}
	return appendJSON(nil, params)
}

func (c *checker) validate(kind spec.Kind, st *stage, place value) {
	// Thousands of stages often share a task and its parameters. Each combination is checked once.
	id := kind.Task + "\x00" + string(kind.Params)
	err, known := c.checked[id]
	if !known {
		err = c.tasks.Validate(kind.Task, kind.Params)
		c.checked[id] = err
	}
	if err == nil {
		return
	}

	// The suggestion goes to its own field, so that editors can offer it.
	if unknown, ok := errors.AsType[*tasks.UnknownError](err); ok && unknown.Suggestion != "" {
		c.suggest(int(place.at), unknown.Suggestion, "%v: %v %s", st, tasks.ErrUnknownTask, quote(kind.Task))
		return
	}

	// An error about parameters belongs there, not at the name of the task.
	if len(st.params.items) > 0 && !errors.Is(err, tasks.ErrUnknownTask) {
		place = st.params
	}

	c.report(int(place.at), "%v: %v", st, err)
}
