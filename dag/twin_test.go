package dag

import "slices"

// twin is the state machine again, written to be obviously right: after every event it looks at all stages anew, and what it
// commands is what is wanted now and was not wanted before.
type twin struct {
	deps       map[StageID][]StageID
	attempt    map[StageID]Attempt
	running    map[StageID]bool
	ended      map[StageID]State
	plan       map[StageID]CommandType // Skip or Cancel, once decided
	root       map[StageID]StageID
	cancelling bool
	finished   bool
}

func newTwin(g *Graph) *twin {
	w := &twin{
		deps: make(map[StageID][]StageID), attempt: make(map[StageID]Attempt), running: make(map[StageID]bool),
		ended: make(map[StageID]State), plan: make(map[StageID]CommandType), root: make(map[StageID]StageID),
	}
	for s := range StageID(g.Len()) {
		w.deps[s], w.attempt[s] = g.Deps(s), 1
	}
	return w
}

func (w *twin) state(s StageID) State {
	if end, ok := w.ended[s]; ok {
		return end
	}
	if w.running[s] {
		return Running
	}
	for _, d := range w.deps[s] {
		if w.ended[d] != Succeeded {
			return Waiting
		}
	}
	return Ready
}

func (w *twin) count(state State) int {
	n := 0
	for s := range w.deps {
		if w.state(s) == state {
			n++
		}
	}
	return n
}

func (w *twin) done() bool { return len(w.ended) == len(w.deps) }

func (w *twin) outcome() State {
	switch {
	case !w.done():
		return Running
	case w.count(Cancelled) > 0:
		return Cancelled
	case w.count(Succeeded) < len(w.deps):
		return Failed
	}
	return Succeeded
}

// apply returns what is to be done because of e, and whether e is possible.
func (w *twin) apply(e Event) ([]Command, bool) {
	before := w.wanted()
	changed, possible := w.accept(e)
	if !changed {
		return nil, possible
	}
	for w.decide() {
	}
	return slices.DeleteFunc(w.wanted(), func(c Command) bool {
		again := e.Type == StageLost && c.Type != Finish && c.Stage == e.Stage // who lost a stage may have lost the command
		return slices.Contains(before, c) && !again
	}), true
}

func (w *twin) accept(e Event) (changed, possible bool) {
	switch e.Type {
	case RunCancelling:
		w.cancelling = w.cancelling || !w.finished
		return true, true
	case RunFinished:
		w.finished = w.done()
		return w.finished, w.finished
	case StageStarted, StageSucceeded, StageFailed, StageLost, StageSkipped, StageCancelled:
		if int(e.Stage) >= len(w.deps) || int(e.Root) >= len(w.deps) {
			return false, false
		}
	default:
		return false, false
	}
	if e.Type == StageSkipped || e.Type == StageCancelled {
		return w.end(e)
	}
	return w.report(e)
}

func (w *twin) end(e Event) (changed, possible bool) {
	switch state := w.state(e.Stage); {
	case state.Terminal():
		return false, true
	case e.Type == StageCancelled:
		w.ended[e.Stage] = Cancelled
		return true, true
	case state == Running:
		return false, false
	}
	w.ended[e.Stage], w.root[e.Stage] = Skipped, e.Root
	return true, true
}

func (w *twin) report(e Event) (changed, possible bool) {
	state := w.state(e.Stage)
	switch {
	case e.Attempt < w.attempt[e.Stage] || state.Terminal():
		return false, true
	case state == Waiting || e.Type == StageLost && e.Attempt == maxAttempt:
		return false, false
	}
	w.attempt[e.Stage] = e.Attempt
	switch e.Type {
	case StageStarted:
		w.running[e.Stage] = true
	case StageSucceeded:
		w.ended[e.Stage] = Succeeded
	case StageFailed:
		w.ended[e.Stage] = Failed
	case StageLost:
		w.running[e.Stage] = false
		w.attempt[e.Stage]++
	}
	return true, true
}

// decide makes the decisions that are due. It reports whether there were any, because more may follow.
func (w *twin) decide() (any bool) {
	for s := range w.deps {
		state := w.state(s)
		if _, decided := w.plan[s]; decided || state != Waiting && state != Ready {
			continue
		}
		if root, doomed := w.cause(s); doomed {
			w.plan[s], w.root[s], any = Skip, root, true
		} else if w.cancelling {
			w.plan[s], any = Cancel, true
		}
	}
	return any
}

// cause returns the stage because of which a dependency of s will never succeed.
func (w *twin) cause(s StageID) (root StageID, doomed bool) {
	for _, d := range w.deps[s] {
		plan, decided := w.plan[d]
		switch {
		case w.ended[d] == Failed || w.ended[d] == Cancelled:
			return d, true
		case w.ended[d] == Skipped || decided && plan == Skip:
			return w.root[d], true
		}
	}
	return 0, false
}

// wanted is everything that is to be done now, in the order of [Run.Pending].
func (w *twin) wanted() []Command {
	var commands []Command
	for s := range StageID(len(w.deps)) {
		state := w.state(s)
		plan, decided := w.plan[s]
		switch {
		case state != Waiting && state != Ready:
		case decided && plan == Skip:
			commands = append(commands, Command{Type: Skip, Stage: s, Root: w.root[s]})
		case decided:
			commands = append(commands, Command{Type: Cancel, Stage: s})
		case state == Ready:
			commands = append(commands, Command{Type: Dispatch, Stage: s, Attempt: w.attempt[s]})
		}
	}
	if w.done() && !w.finished {
		commands = append(commands, Command{Type: Finish})
	}
	return commands
}
