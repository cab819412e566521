package pipefile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/condition"
	"github.com/godags/godags/internal/spec"
)

// Keys of stages that mean nothing without others.
var (
	// need run
	commandKeys = []string{"env", "dir", "shell", "no_retry_codes"}
	// need run or task
	workKeys = []string{"retries", "backoff", "timeout", "secrets", "for_each", "matrix", "max_parallel"}
)

// fit reports keys of the stage that have no effect together with its other keys, and removes from
// kind the defaults that have none.
func (c *checker) fit(st *stage, kind *spec.Kind) {
	// Only a stage's own keys are reported. Defaults are for all stages, and may not fit some.
	for _, key := range st.keysOf(commandKeys) {
		if st.run.kind == absent {
			c.report(int(key.at), "%s is for a stage with run", key.name)
		}
	}

	works := st.run.kind != absent || st.task.kind != absent
	for _, key := range st.keysOf(workKeys) {
		if !works {
			c.report(int(key.at), "%s is for a stage with run or task: this one executes nothing", key.name)
		}
	}

	// A join point keeps what decides when it finishes. Unused defaults must not change the digest.
	if !works {
		kind.Policy = spec.Policy{Trigger: kind.Trigger, When: kind.When, Priority: kind.Priority}
	}

	if st.forEach.kind == absent && st.matrix.kind == absent {
		kind.MaxParallel = 0
		if at := st.ownAt("max_parallel"); at >= 0 && works {
			c.report(at, "max_parallel is for a stage with for_each or matrix")
		}
	} else if st.forEach.kind != absent && st.matrix.kind != absent {
		c.report(int(max(st.forEach.at, st.matrix.at)), "a stage has for_each or matrix, not both")
	}

	if len(st.after) == 0 && kind.Trigger != dag.AllSuccess {
		// Without dependencies every trigger means the same, so the spec has only one form of it.
		if at := st.ownAt("trigger"); at >= 0 {
			c.report(at, "trigger %v is about the stages in after, and there are none", kind.Trigger)
		}
		kind.Trigger = dag.AllSuccess
	}

	if at := st.ownAt("shell"); at >= 0 && st.run.kind == list {
		c.report(at, "shell is for a run that is text: a list is executed without one")
	}

	if st.run.kind != absent {
		c.twice(st, kind.Secrets)
	}
}

// twice reports variables that the command would get both as a secret and from env.
func (c *checker) twice(st *stage, secrets []string) {
	// Which of the two the command gets would depend on the order in its environment.
	for i := 0; i < len(st.env.items); i += 2 {
		if name := st.env.items[i]; slices.Contains(secrets, name.text) {
			c.report(int(name.at), "env: %s is among the secrets of the stage", quote(name.text))
		}
	}
}

// keysOf returns those of the keys that the stage itself has.
func (st *stage) keysOf(names []string) []ownKey {
	var found []ownKey
	for _, k := range st.own {
		if slices.Contains(names, k.name) {
			found = append(found, k)
		}
	}

	// These keys belong to the stage, not to its policy, and are not among the own keys.
	for _, k := range []struct {
		name string
		v    value
	}{{"env", st.env}, {"for_each", st.forEach}, {"matrix", st.matrix}} {
		if k.v.kind != absent && slices.Contains(names, k.name) {
			found = append(found, ownKey{k.name, k.v.at})
		}
	}

	return found
}

// ownAt returns where the value of the stage's own key is, or -1.
func (st *stage) ownAt(key string) int {
	for _, k := range st.own {
		if k.name == key {
			return int(k.at)
		}
	}
	return -1
}

// checkLists checks the lists of stages with for_each, and that no other stage has the name of one
// of their instances.
func (b *builder) checkLists() {
	if len(b.mapped) == 0 {
		return
	}

	// Cells are left out: for_each names a stage of the file, and gathers all cells of it.
	named := make(map[string]*added)
	mapped := make(map[string]bool)
	for i := range b.added {
		if a := &b.added[i]; !a.cell {
			named[a.name] = a
		}
	}

	for _, f := range b.mapped {
		mapped[f.name] = f.name != ""
		// A list that does not exist has been reported as an unknown dependency.
		if list := named[f.over.text]; list != nil && list.name != f.name && !list.works {
			b.report(int(f.over.at), "for_each: stage %s has no output: it has neither run nor task", quote(list.name))
		}
	}

	for i := range b.added {
		a := &b.added[i]
		if of := instanceOf(a.name); !a.cell && mapped[of] {
			b.report(int(a.at), "stage %s has the name of an instance of %s", quote(a.name), quote(of))
		}
	}
}

// instanceOf returns the stage that has instances with such names, or "".
func instanceOf(name string) string {
	of, rest, found := strings.Cut(name, "[")
	index, ends := strings.CutSuffix(rest, "]")
	if !found || !ends || index == "" || strings.Trim(index, "0123456789") != "" {
		return ""
	}
	return of
}

// checkWhen reports problems of a condition.
func (b *builder) checkWhen(st *stage) {
	scope := condition.Scope{Params: b.settings.Params, Env: b.settings.Env, Item: st.forEach.kind != absent || st.matrix.kind != absent}
	for _, dep := range st.after {
		scope.Outputs = append(scope.Outputs, dep.text)
	}

	// The same text has another meaning in a stage with an item.
	when := st.policy.when
	id := when.text
	if scope.Item {
		id += "\x00"
	}

	// Many stages have the same condition from the defaults. It is compiled again only for a stage
	// that does not come after all stages that the condition reads.
	lacks := func(name string) bool { return !slices.Contains(scope.Outputs, name) }
	if c := b.compiled[id]; c != nil && !slices.ContainsFunc(c.Outputs(), lacks) {
		return
	}

	c, err := condition.Compile(when.text, scope)
	whose := st.String()
	if when.at == b.defaults.when.at {
		whose = "defaults" // the same text for all stages, so that it is reported once
	}

	// The error counts bytes of the expression. The excerpt needs bytes of the file, with escapes
	// and indentation.
	if wrong, ok := errors.AsType[*condition.Error](err); ok {
		at := within(b.bytes, when, wrong.At)
		end := max(at+1, within(b.bytes, when, max(wrong.At, wrong.End)))
		b.reporter.add(problem{at, end, fmt.Sprintf("%s: when: %s", whose, wrong.Message), wrong.Suggestion})
	} else if err != nil {
		b.report(int(when.at), "%s: when: %v", whose, err)
	} else {
		b.keep(id, c)
	}
}

// keep keeps a compiled condition. It drops all when there are many: stages with the same condition
// usually follow each other.
func (b *builder) keep(id string, c *condition.Condition) {
	const most = 1000
	if b.compiled == nil || len(b.compiled) == most {
		b.compiled = make(map[string]*condition.Condition)
	}
	b.compiled[id] = c
}
