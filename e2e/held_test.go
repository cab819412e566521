package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// held has two stages side by side that go on until there is a file "go", and one after them. The
// first attempt of victim never ends.
const held = `{"stages": [
	{"name": "victim", "run": "echo $PPID >worker; echo $$ >victim.$GODAGS_ATTEMPT; until [ -e go ] && [ $GODAGS_ATTEMPT -gt 1 ]; do sleep 0.05; done"},
	{"name": "witness", "run": "echo $$ >witness.$GODAGS_ATTEMPT; until [ -e go ]; do sleep 0.05; done"},
	{"name": "after", "after": ["victim", "witness"], "task": "noop"}
]}`

// patient is held whose victim ends like the others.
var patient = strings.ReplaceAll(held, " && [ $GODAGS_ATTEMPT -gt 1 ]", "")

// newHeldWorld returns a world with a Redis, a worker and the pipeline patient.
func newHeldWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.useRedis()
	w.write("held.json", patient)
	w.start("worker", "--concurrency", "2")
	return w
}

// runHeld starts a command that runs held.json and waits until both of its first stages run, for
// this command or another one.
func (w *world) runHeld(args ...string) *process {
	w.t.Helper()
	p := w.start("coordinator", append([]string{"run", "held.json", "--run-id", "held"}, args...)...)
	w.awaitHeld()
	return p
}

// awaitHeld waits until both stages have written their process numbers: a file exists before it has
// its content.
func (w *world) awaitHeld() {
	w.t.Helper()
	w.await("both stages run", func() bool { return w.has("victim.1") && w.has("witness.1") })
}

// endHeld lets the stages finish, waits for commands that follow the run, and finds out
// whether each stage was started once, or as often as the killed process made necessary.
func (w *world) endHeld(most int, followers ...*process) {
	w.t.Helper()
	w.write("go", "")
	for _, p := range followers {
		w.ended(p, 0)
	}
	count := w.starts("held")
	for _, stage := range []string{"victim", "witness", "after"} {
		if n := count[stage]; n < 1 || n > most {
			w.t.Errorf("%s was started %d times", stage, n)
		}
	}
	events := w.events("held")
	if last := events[len(events)-1].Type; last != "run.finished" {
		w.t.Errorf("the last event is %s", last)
	}
}

// starts counts how often each stage of a run was started.
func (w *world) starts(run string) map[string]int {
	w.t.Helper()
	count := make(map[string]int)
	for _, e := range w.events(run) {
		if e.Type == "stage.started" {
			count[e.Stage]++
		}
	}
	return count
}

// dead waits until the process whose number is in a file does not exist any more.
func (w *world) dead(name string) {
	w.t.Helper()
	pid := strings.TrimSpace(read(filepath.Join(w.dir, name)))
	w.await("the end of process "+pid+", which is that of "+name, func() bool { return !alive(pid) })
}
