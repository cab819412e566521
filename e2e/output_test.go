package e2e

import (
	"strings"
	"testing"
)

// What a stage prints is seen while the stage runs, on another worker and by all who look.
func TestOutput_IsSeenWhileTheStageRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("talk.json", `{"stages": [{"name": "talk", "run": "echo first; until [ -e go ]; do sleep 0.05; done; echo second"}]}`)
	w.start("worker")
	run := w.start("coordinator", "run", "talk.json", "--run-id", "talk")
	w.says(run, "talk | first")

	attach := w.start("coordinator", "attach", "talk", "--progress", "json", "--logs", "prefixed")
	w.says(attach, `"type":"output","stage":"talk","attempt":1,"text":"first"`)
	silent := w.start("coordinator", "attach", "talk", "--logs", "none")
	w.says(silent, "running")
	logs := w.start("coordinator", "logs", "talk", "--follow")
	w.await("the first line from logs", func() bool { return strings.Contains(logs.stdout(), "talk | first\n") })
	if got := w.coordinator("logs", "talk", "talk"); got != "first\n" {
		t.Errorf("logs of the running stage: got %q", got)
	}

	w.write("go", "")
	for _, p := range []*process{run, attach, silent, logs} {
		w.ended(p, 0)
	}
	if got, want := logs.stdout(), "talk | first\ntalk | second\n"; got != want {
		t.Errorf("logs --follow: got %q, want %q", got, want)
	}
	if !strings.Contains(run.stderr(), "talk | second\n") || strings.Count(run.stderr(), "| first") != 1 {
		t.Errorf("run shows\n%s", run.stderr())
	}
	if strings.Contains(silent.stderr(), "talk |") {
		t.Errorf("with --logs none:\n%s", silent.stderr())
	}
}
