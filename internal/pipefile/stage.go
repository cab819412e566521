package pipefile

import (
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// stage is a stage as the file describes it.
type stage struct {
	number                  int // from 1
	at                      int
	name, run, task, params value
	env, forEach, matrix    value
	after                   []value // text
	policy                  *policy // shared with the defaults until the stage sets a key of it
	own                     []ownKey
}

// ownKey is a key of a policy that the stage itself has.
type ownKey struct {
	name string
	at   uint32
}

// policy holds the keys that the defaults can have too. Invalid values are reported and left at
// their defaults.
type policy struct {
	spec.Policy
	queue             string
	when              value // text
	dir, shell, codes value // as the task command takes them
}

var stageKeys = slices.Concat([]key[stage]{
	{"name", "needed, and used once: up to 200 bytes of printable text without slashes", shapeText,
		func(st *stage, d *decoder, v value) { st.name = d.text("name", v) }},
	{"after", "the stages that come first: a name or a list of names", shapeNames,
		func(st *stage, d *decoder, v value) { st.after = append(st.after, d.texts("after", v)...) }},
	{"run", "a command: text is a script for sh -c, a list is a program and its arguments", shapeRun, (*stage).readRun},
	{"task", "a built-in task, instead of run", shapeText, func(st *stage, d *decoder, v value) { st.task = d.nonempty("task", v) }},
	{"params", "the parameters of the task", shapeObject, (*stage).readParams},
	{"env", "variables for the command, beside those of the pipeline", shapeEnv, (*stage).readEnv},
	{"for_each", "the stage whose output, a JSON array, has an element for each instance of this one", shapeText, (*stage).readForEach},
	{"matrix", "names and lists of values: the stage is executed for each combination", shapeMatrix,
		func(st *stage, d *decoder, v value) { st.matrix = d.matrix(v) }},
}, lifted(policyKeys))

var policyKeys = []key[policy]{
	{"queue", "only workers that listen to this queue execute the stage. Default: default", shapeQueue, (*policy).readQueue},
	{"trigger", "what must have become of the stages before. Default: all_success", shapeOneOf(dag.Triggers()...), (*policy).readTrigger},
	{"when", "a condition, such as params.train && outputs.split.rows > 100: the stage is skipped when it does not hold", shapeText,
		func(p *policy, d *decoder, v value) { p.when = d.nonempty("when", v) }},
	{"retries", "further attempts after one that failed. Default: 0", shapeWhole(0, maxRetries), func(p *policy, d *decoder, v value) {
		d.whole(&p.Retries, "retries", v, 0, maxRetries)
	}},
	{"backoff", "wait before a further attempt: the first wait, or {initial, factor, max, jitter}. Default: 1s, 2, 5m, 0.1", shapeBackoff, (*policy).readBackoff},
	{"timeout", "how long an attempt may take. Default: any time", shapeDuration,
		func(p *policy, d *decoder, v value) { d.duration(&p.Timeout, "timeout", v) }},
	{"priority", "of stages that are ready, those with the highest go first. Default: 0", shapeWhole(-maxPriority, maxPriority), func(p *policy, d *decoder, v value) {
		d.whole(&p.Priority, "priority", v, -maxPriority, maxPriority)
	}},
	{"max_parallel", "how many instances of a stage with for_each, or cells of a matrix, are executed at once. Default: any number", shapeWhole(1, maxParallel), func(p *policy, d *decoder, v value) {
		d.whole(&p.MaxParallel, "max_parallel", v, 1, maxParallel)
	}},
	{"secrets", "names of secrets: the command gets X if the worker has GODAGS_SECRET_X", shapeSecrets, (*policy).readSecrets},
	{"dir", "the folder in which the command runs. Default: that of the file, or with --redis that of the worker", shapeText, (*policy).readDir},
	{"shell", "what executes a run that is text. Default: [sh, -c]", shapeArgv, (*policy).readShell},
	{"no_retry_codes", "exit codes of the command after which it is not tried again", shapeCodes, (*policy).readNoRetryCodes},
}

// Limits of whole numbers: beyond any use, and within the integer types of the other packages.
const (
	maxRetries  = dag.MaxRetries
	maxPriority = 1_000_000
	maxParallel = 1_000_000
)

// lifted turns keys of a policy into keys of a stage.
func lifted(keys []key[policy]) []key[stage] {
	of := make([]key[stage], len(keys))
	for i, k := range keys {
		of[i] = key[stage]{k.name, k.about, k.shape, func(st *stage, d *decoder, v value) {
			// Most stages set no key of a policy, and share the defaults.
			if st.own == nil {
				own := *st.policy
				st.policy = &own
			}
			st.own = append(st.own, ownKey{k.name, v.at})
			k.read(st.policy, d, v)
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

// readForEach also makes the stage come after the other one.
func (st *stage) readForEach(d *decoder, v value) {
	if v.kind == list {
		d.report(int(v.at), "for_each must be the name of a stage whose output is the list: for values that are written here there is matrix")
		st.forEach = v
		return
	}
	// The list must be finished before its instances can be made, so the user need not write it
	// twice.
	if st.forEach = d.nonempty("for_each", v); st.forEach.text != "" {
		st.after = append(st.after, st.forEach)
	}
}
