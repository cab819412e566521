package cli

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/fault"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

// reasons explains on the screen why ready stages do not start.
//
// The run belongs to the goroutine that reads its journal, which must not wait for Redis on behalf
// of the screen. So another goroutine reads the fleet once a second, and the next tick uses it.
type reasons struct {
	ready atomic.Int64                      // ready stages; without any there is nothing to explain
	fleet atomic.Pointer[runstate.Snapshot] // as read last; nil once a tick has used it

	// For ticks only.
	explained time.Time     // when the reasons were last found
	pause     time.Duration // the least time until they are found again
}

// explainShare is the part of the time that explanations may take: finding the reasons of a run
// of a million stages takes some 10 ms.
const explainShare = 50

// readFleet reads the fleet for the next tick. While Redis is unreachable there are no ticks, so
// that the reason is shown at once.
func (s *screen) readFleet(service *runs.Service) {
	id, known := s.run.Load().(runs.ID)
	// Reading the fleet takes several round trips. A run without ready stages does not need them.
	if !known || s.quiet || s.reasons.ready.Load() == 0 {
		return
	}

	// The next second brings a newer answer, so an older one is not worth waiting for.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()

	fleet, err := service.Snapshot(ctx, id)
	switch {
	case err == nil:
		s.reasons.fleet.Store(&fleet)
	case fault.Unavailable(err):
		s.printer.Waiting(nil, []runstate.Group{runstate.Unreachable(int(s.reasons.ready.Load()))})
	}
}

// tick shows why ready stages do not start, by the fleet that was read last.
func (s *screen) tick(run *runstate.Run) {
	ready := run.DAG.Count(dag.Ready)
	s.reasons.ready.Store(int64(ready))
	if ready == 0 {
		s.printer.Waiting(run, nil)
		return
	}

	// The time is measured, because it depends on the size of the run.
	begin := time.Now()
	if begin.Sub(s.reasons.explained) < s.reasons.pause {
		return
	}

	// Each fleet is used once: reasons from an old one would contradict the journal.
	fleet := s.reasons.fleet.Swap(nil)
	if fleet == nil {
		return
	}

	s.printer.Waiting(run, run.Explain(*fleet).Groups())
	s.reasons.explained = time.Now()
	s.reasons.pause = explainShare * s.reasons.explained.Sub(begin)
}

// remedy returns what to do about stages that no live worker can run, or "" if their reason says
// it.
func (i invocation) remedy(external bool, g runstate.Group) string {
	switch {
	// Their text names the key to delete, or the fault to repair.
	case g.Reason.Code == api.ReasonPaused, g.Unhealthy != "":
		return ""
	case g.Reason.Code == api.ReasonKeyMismatch:
		return fmt.Sprintf("set the same GODAGS_KEY for all (%s lists them)", i.hint("workers", nil))
	case g.Task != "":
		return fmt.Sprintf("start a worker of the program that has it (%s lists them)", i.hint("workers", nil))
	case external:
		// On a private Redis a run brings its own workers: resuming it is enough.
		return fmt.Sprintf("start one with %s", i.hintWorker(g.Queue))
	}

	return ""
}
