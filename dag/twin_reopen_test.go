package dag

import (
	"fmt"
	"slices"
)

// reopen lets stages be executed again. It is false if that is not possible.
func (w *twin) reopen(stage StageID) bool {
	if _, counts := w.attempt[stage]; !counts && stage != NoStage {
		return false
	}
	again, renew := make(map[StageID]bool), make(map[StageID]bool)
	for s := range w.attempt {
		wrong := w.failed(s) || w.ended[s] == Cancelled || w.ended[s] == Skipped && w.fault[s] == Cancelled
		again[s] = s == stage || stage == NoStage && wrong
	}
	for more := true; more; {
		more = false
		for _, s := range w.graph.Topological() {
			renew[s] = s == stage || slices.ContainsFunc(w.graph.Deps(s), func(d StageID) bool { return again[d] })
			again[s] = again[s] || renew[s] || slices.ContainsFunc(w.instances[s], func(i StageID) bool { return again[i] })
			for _, i := range w.instances[s] {
				again[i] = again[i] || renew[s]
			}
		}
		for s := range w.attempt {
			if w.ended[s] == Skipped && again[w.cause[s]] && !again[s] {
				again[s], more = true, true
			}
		}
	}
	for s, mapped := range w.mapped {
		again[s] = again[s] && !renew[mapped]
	}
	for s := range w.attempt {
		mapped, instance := w.mapped[s]
		if (again[s] || instance && renew[mapped]) && w.begun[s] && w.attempt[s] == maxAttempt {
			return false
		}
	}
	for s := range StageID(w.graph.Len()) {
		if renew[s] {
			for index, i := range w.instances[s] {
				next := w.attempt[i]
				if w.begun[i] {
					next++
				}
				w.used[fmt.Sprintf("%d[%d]", s, index)] = next
				w.fault[i] = w.ended[i]
				delete(w.attempt, i)
				delete(w.ended, i)
			}
			delete(w.instances, s)
		}
	}
	for s := range w.attempt {
		if again[s] {
			if w.begun[s] {
				w.attempt[s]++
			}
			delete(w.ended, s)
			delete(w.begun, s)
			delete(w.plan, s)
			delete(w.unclaimable, s)
			delete(w.held, s)
			delete(w.failures, s)
			delete(w.retrying, s)
			delete(w.running, s)
		}
	}
	w.finished, w.cancelling, w.stopping = false, false, nil
	return true
}
