package e2e

import (
	"syscall"
	"testing"
)

// What nohup, or a shell for what it starts in the background, ignores is not for the run.
func TestSignalsThatTheCallerIgnoresDoNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("p.json", file{Stages: []stage{{Name: "a", Run: `echo >ready; until [ -e end ]; do sleep 0.05; done`}}})
	run := w.start("sh", "-c", `trap '' INT HUP; exec coordinator run p.json --run-id r`)
	w.await("the stage", func() bool { return w.has("ready") })
	w.signal(run, syscall.SIGINT)
	w.signal(run, syscall.SIGHUP)
	w.write("end", "")
	w.ended(run, 0)
}

// Descriptors of the caller, such as the pipe of a jobserver, would be held open by what a command
// leaves running.
func TestACommandHasNoDescriptorsOfItsWorkersCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.needRedis()
	w.write("p.json", file{Stages: []stage{{Name: "a", Run: `for fd in 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$fd ] || { echo "descriptor $fd"; exit 1; }; done; cat`}}})
	run := w.start("sh", "-c", `exec coordinator run p.json --run-id r 3>three 7<p.json </dev/zero`)
	w.ended(run, 0)
}

func TestAClosedOutputIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, redirection := range []string{">&-", "2>&-", ">&- 2>&- <&-", "| true"} {
		w := newWorld(t)
		w.needRedis()
		w.write("p.json", file{Stages: []stage{{Name: "a", Run: "echo said"}}})
		run := w.start("sh", "-c", `{ coordinator run p.json --output json; echo $? >code; } `+redirection)
		w.ended(run, 0)
		if got := read(w.dir + "/code"); got != "0\n" {
			t.Errorf("%s: exit code %q, want 0", redirection, got)
		}
	}
}
