package pipefile

import (
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// stage is what a file says of a stage.
type stage struct {
	number                  int // from 1
	at                      int
	name, run, task, params value
	env, forEach, matrix    value
	after                   []value // text
	policy                  *policy // the defaults until the stage has one of its own
	own                     []ownKey
}

// ownKey is a key of a policy that the stage itself has.
type ownKey struct {
	name string
	at   uint32
}

// policy is what the defaults can say as well. Values are valid, or have been reported and are the
// default.
type policy struct {
	spec.Policy
	queue             string
	when              value // text
	dir, shell, codes value // as the task command takes them
}

var stageKeys = slices.Concat([]key[stage]{
	{"name", "needed, and used once: up to 200 bytes of printable text without slashes", shapeText,
		func(s *source, st *stage, v value) { st.name = s.text("name", v) }},
	{"after", "the stages that come first: a name or a list of names", shapeNames,
		func(s *source, st *stage, v value) { st.after = append(st.after, s.texts("after", v)...) }},
	{"run", "a command: text is a script for sh -c, a list is a program and its arguments", shapeRun, (*source).run},
	{"task", "a built-in task, instead of run", shapeText, func(s *source, st *stage, v value) { st.task = s.nonempty("task", v) }},
	{"params", "the parameters of the task", shapeObject, (*source).params},
	{"env", "variables for the command, beside those of the pipeline", shapeEnv, (*source).stageEnv},
	{"for_each", "the stage whose output, a JSON array, has an element for each instance of this one", shapeText, (*source).forEach},
	{"matrix", "names and lists of values: the stage is executed for each combination", shapeMatrix,
		func(s *source, st *stage, v value) { st.matrix = s.matrix(v) }},
}, lifted(policyKeys))

var policyKeys = []key[policy]{
	{"queue", "only workers that listen to this queue execute the stage. Default: default", shapeQueue, (*source).queue},
	{"trigger", "what must have become of the stages before. Default: all_success", shapeOneOf(dag.Triggers()...), (*source).trigger},
	{"when", "a condition, such as params.train && outputs.split.rows > 100: the stage is skipped when it does not hold", shapeText,
		func(s *source, p *policy, v value) { p.when = s.nonempty("when", v) }},
	{"retries", "further attempts after one that failed. Default: 0", shapeWhole(0, maxRetries), func(s *source, p *policy, v value) {
		s.whole(&p.Retries, "retries", v, 0, maxRetries)
	}},
	{"backoff", "wait before a further attempt: the first wait, or {initial, factor, max, jitter}. Default: 1s, 2, 5m, 0.1", shapeBackoff, (*source).backoff},
	{"timeout", "how long an attempt may take. Default: any time", shapeDuration,
		func(s *source, p *policy, v value) { s.duration(&p.Timeout, "timeout", v) }},
	{"priority", "of stages that are ready, those with the highest go first. Default: 0", shapeWhole(-maxPriority, maxPriority), func(s *source, p *policy, v value) {
		s.whole(&p.Priority, "priority", v, -maxPriority, maxPriority)
	}},
	{"max_parallel", "how many instances of a stage with for_each, or cells of a matrix, are executed at once. Default: any number", shapeWhole(1, maxParallel), func(s *source, p *policy, v value) {
		s.whole(&p.MaxParallel, "max_parallel", v, 1, maxParallel)
	}},
	{"secrets", "names of secrets: the command gets X if the worker has GODAGS_SECRET_X", shapeSecrets, (*source).secrets},
	{"dir", "the folder in which the command runs. Default: that of the worker", shapeText, (*source).dir},
	{"shell", "what executes a run that is text. Default: [sh, -c]", shapeArgv, (*source).shell},
	{"no_retry_codes", "exit codes of the command after which it is not tried again", shapeCodes, (*source).codes},
}

// Limits of whole numbers: more than anybody wants, and within what the other parts count with.
const (
	maxRetries  = dag.MaxRetries
	maxPriority = 1_000_000
	maxParallel = 1_000_000
)

// lifted makes keys of a policy keys of a stage.
func lifted(keys []key[policy]) []key[stage] {
	of := make([]key[stage], len(keys))
	for i, k := range keys {
		of[i] = key[stage]{k.name, k.about, k.shape, func(s *source, st *stage, v value) {
			if st.own == nil {
				own := *st.policy
				st.policy = &own
			}
			st.own = append(st.own, ownKey{k.name, v.at})
			k.read(s, st.policy, v)
		}}
	}

	return of
}

// String names the stage in messages.
func (st *stage) String() string {
	if st.name.text == "" {
		return fmt.Sprintf("stage %d", st.number)
	}
	return "stage " + quote(st.name.text)
}

// forEach also makes the stage come after the other one.
func (s *source) forEach(st *stage, v value) {
	if v.kind == list {
		s.report(int(v.at), "for_each must be the name of a stage whose output is the list: for values that are written here there is matrix")
		st.forEach = v
		return
	}
	if st.forEach = s.nonempty("for_each", v); st.forEach.text != "" {
		st.after = append(st.after, st.forEach)
	}
}
