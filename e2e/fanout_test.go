package e2e

import (
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// fanned has an instance for each number from 0 to 59. Three fail once, and whichever come when 22
// are done wait for a file "go".
const fanned = `{"stages": [
	{"name": "list", "run": "seq 0 59 | paste -sd, | sed 's/.*/[&]/' >$GODAGS_OUTPUT"},
	{"name": "each", "for_each": "list", "retries": 1, "backoff": "50ms",
	 "run": "case $GODAGS_ITEM.$GODAGS_ATTEMPT in 3.1|20.1|41.1) exit 1; esac; set -- done.*; [ $# -lt 22 ] || until [ -e go ]; do sleep 0.05; done; echo $((GODAGS_ITEM * 10)) >$GODAGS_OUTPUT; : >done.$GODAGS_INDEX"},
	{"name": "all", "after": "each", "run": "cp $GODAGS_INPUTS/each all"}
]}`

// What was done before the coordinator, and the workers in its process, were killed is not done
// again; what failed once is tried again, and the outputs are gathered in the order of the list.
func TestAFanOutIsGoneOnWithAfterAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useRedis()
	w.write("p.json", fanned)
	first := w.start("coordinator", "run", "p.json", "--run-id", "r", "--concurrency", "2")
	done := func() (names []string) {
		for _, e := range w.events("r") {
			if e.Type == "stage.succeeded" {
				names = append(names, e.Stage)
			}
		}
		return names
	}
	w.await("a good part of the instances", func() bool { return len(done()) >= 20 })
	w.signal(first, syscall.SIGKILL)
	first.wait(limit)
	before := w.events("r")
	w.write("go", "")
	w.ended(w.start("coordinator", "resume", "r", "--concurrency", "2"), 0)

	started, succeeded, retried := make(map[string]int), make(map[string]int), 0
	for i, e := range w.events("r") {
		switch e.Type {
		case "stage.started":
			started[e.Stage]++
			if i >= len(before) && succeeded[e.Stage] > 0 {
				t.Errorf("%s was executed again", e.Stage)
			}
		case "stage.succeeded":
			succeeded[e.Stage]++
		case "stage.retrying":
			retried++
		}
	}
	// a first attempt that was lost with its worker did not come to fail
	if len(succeeded) != 63 || retried < 1 || retried > 3 {
		t.Errorf("%d stages succeeded, and %d attempts failed", len(succeeded), retried)
	}
	for _, name := range []string{"each[3]", "each[20]", "each[41]"} {
		if started[name] < 2 {
			t.Errorf("%s was not tried again", name)
		}
	}
	for stage, n := range succeeded {
		if n != 1 {
			t.Errorf("%s succeeded %d times", stage, n)
		}
	}
	var want []string
	for i := range 60 {
		want = append(want, strconv.Itoa(i*10))
	}
	if got := strings.TrimSpace(read(filepath.Join(w.dir, "all"))); got != "["+strings.Join(want, ",")+"]" {
		t.Errorf("gathered %s", got)
	}
}
