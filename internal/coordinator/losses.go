package coordinator

import (
	"fmt"
	"time"

	"github.com/godags/godags/dag"
)

// A lost attempt is no failure, and its stage is executed again at once. But a stage may cause the
// loss of each of its attempts, by a value that is too large for the link of its worker, for
// example. It must not keep workers from all other stages, so after a few losses there are pauses,
// each twice as long as the one before.
const (
	freeLosses  = 2
	firstPause  = time.Second
	lastPause   = time.Minute
	mostDoubled = 6
)

// maxCrashes is how many workers may die while they execute a stage before the stage is to blame:
// it is a poison stage, which fails.
const maxCrashes = 3

// losses counts the lost attempts of each stage since the run was submitted or reopened. A loss is
// an attempt that is recorded as lost. A crash is a loss because the worker died.
type losses struct {
	crashes map[dag.StageID]int // attempts whose worker died
	started map[dag.StageID]int // attempts that had started, lost for any reason
}

func newLosses() *losses {
	return &losses{crashes: make(map[dag.StageID]int), started: make(map[dag.StageID]int)}
}

// crashed counts an attempt whose worker died.
func (l *losses) crashed(s dag.StageID) { l.crashes[s]++ }

// poison reports whether the death of one more worker makes the stage fail.
func (l *losses) poison(s dag.StageID) bool { return l.crashes[s]+1 >= maxCrashes }

// poisonText is the text of the failure of such a stage.
func poisonText(worker string) string {
	return fmt.Sprintf("poison: %d workers died while they executed it; the last was %s", maxCrashes, worker)
}

// lost counts an attempt that had started, and returns how long the next one has to wait.
func (l *losses) lost(s dag.StageID) time.Duration {
	l.started[s]++
	n := l.started[s] - freeLosses
	if n <= 0 {
		return 0
	}
	return min(lastPause, firstPause<<min(n-1, mostDoubled))
}

// reset forgets all losses: a reopened run gets all attempts again.
func (l *losses) reset() {
	clear(l.crashes)
	clear(l.started)
}
