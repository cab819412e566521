package dag

import (
	"fmt"
	"maps"
	"slices"
)

// twin is the state machine again, written to be obviously correct. After every event it evaluates
// all stages again, and commands what is wanted now and was not wanted before.
type twin struct {
	graph *Graph
	rules Rules
	// which of several causes to be skipped the run goes by, of what it has not said yet
	chosen    func(StageID) StageID
	next      StageID // the id that the next instance gets
	mapped    map[StageID]StageID
	instances map[StageID][]StageID // by mapped stage that has them, in order
	attempt   map[StageID]Attempt   // of all that count
	// by the names of instances that were replaced: the attempt that the next of that name begins
	// with
	used     map[string]Attempt
	running  map[StageID]bool
	retrying map[StageID]bool
	failures map[StageID]int
	elements map[StageID]int
	ended    map[StageID]State
	begun    map[StageID]bool        // of those that have ended
	fault    map[StageID]State       // of those that are skipped: the state of their cause
	plan     map[StageID]CommandType // Skip or Cancel, once decided
	// of those with a plan: it was made before all that they gather was terminal
	held        map[StageID]bool
	unclaimable map[StageID]bool // of those to be skipped: no worker can claim them any more
	cause       map[StageID]StageID
	stopping    []StageID // the failure that ends the run early
	cancelling  bool
	finished    bool
}

func newTwin(g *Graph, rules Rules, said []Command, chosen func(StageID) StageID) *twin {
	w := &twin{
		graph: g, rules: rules, next: StageID(g.Len()), chosen: chosen,
		mapped: make(map[StageID]StageID), instances: make(map[StageID][]StageID), attempt: make(map[StageID]Attempt), used: make(map[string]Attempt),
		running: make(map[StageID]bool), retrying: make(map[StageID]bool), failures: make(map[StageID]int), elements: make(map[StageID]int),
		ended: make(map[StageID]State), begun: make(map[StageID]bool), fault: make(map[StageID]State),
		plan: make(map[StageID]CommandType), held: make(map[StageID]bool), unclaimable: make(map[StageID]bool), cause: make(map[StageID]StageID),
	}
	for s := range StageID(g.Len()) {
		w.attempt[s] = 1
	}
	w.decide(said)
	return w
}

func (w *twin) stages() []StageID { return slices.Sorted(maps.Keys(w.attempt)) }

func (w *twin) rule(s StageID) Rule {
	if mapped, ok := w.mapped[s]; ok {
		s = mapped
	}
	if w.rules.KindOf == nil {
		return Rule{}
	}
	return w.rules.Kinds[w.rules.KindOf[s]]
}

func (w *twin) state(s StageID) State {
	end, ended := w.ended[s]
	instances, fanned := w.instances[s]
	_, instance := w.mapped[s]
	switch {
	case ended:
		return end
	case w.running[s]:
		return Running
	case w.retrying[s]:
		return Retrying
	case w.held[s]:
		return Waiting
	case instance, fanned && !slices.ContainsFunc(instances, func(i StageID) bool { return !w.succeeded(i) }),
		!fanned && w.rule(s).Each == nil && w.holds(s):
		return Ready
	}
	return Waiting
}

// succeeded reports whether an instance counts as a success of its mapped stage.
func (w *twin) succeeded(s StageID) bool {
	return w.ended[s] == Succeeded || w.ended[s] == Skipped && w.cause[s] == s
}

// gathered returns what a stage gathers.
func (w *twin) gathered(s StageID) []StageID {
	if instances, ok := w.instances[s]; ok {
		return instances
	}
	if _, instance := w.mapped[s]; w.rule(s).Gather && !instance {
		return w.graph.Deps(s)
	}
	return nil
}

func (w *twin) allEnded(list []StageID) bool {
	return !slices.ContainsFunc(list, func(s StageID) bool { _, ended := w.ended[s]; return !ended })
}

// holds reports whether the trigger of a stage holds.
func (w *twin) holds(s StageID) bool {
	deps, succeeded, passed, failed, ended := w.graph.Deps(s), 0, 0, 0, 0
	for _, d := range deps {
		if w.ended[d] == Succeeded {
			succeeded++
		}
		if w.ended[d] == Skipped && w.cause[d] == d && w.rule(s).Gather {
			passed++
		}
		if w.failed(d) {
			failed++
		}
		if _, ok := w.ended[d]; ok {
			ended++
		}
	}
	switch w.rule(s).Trigger {
	case AllDone:
		return ended == len(deps)
	case AnySuccess:
		return succeeded > 0 || len(deps) == 0
	case AnyFailed:
		return failed > 0
	}
	return succeeded+passed == len(deps)
}

func (w *twin) failed(s StageID) bool {
	return w.ended[s] == Failed || w.ended[s] == Skipped && w.fault[s] == Failed
}

func (w *twin) count(state State) int {
	n := 0
	for s := range w.attempt {
		if w.state(s) == state {
			n++
		}
	}
	return n
}

func (w *twin) done() bool { return len(w.ended) == len(w.attempt) }

func (w *twin) outcome() State {
	switch {
	case !w.done():
		return Running
	case w.cancelling || w.count(Cancelled) > 0:
		return Cancelled
	case w.count(Failed) > 0:
		return Failed
	}
	return Succeeded
}

// apply returns what is to be done because of e, and whether e is possible. Of a stage that has
// several causes to be skipped, the run has said which it goes by.
func (w *twin) apply(e Event, said []Command) ([]Command, bool) {
	before := w.wanted()
	changed, possible := w.accept(e)
	if !changed {
		return nil, possible
	}
	w.decide(said)
	w.expand(e.Type == RunReopened)
	return slices.DeleteFunc(w.wanted(), func(c Command) bool {
		// who lost a stage may have lost the command
		again := e.Type == StageLost && c.Type != Finish && c.Stage == e.Stage
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
	case RunReopened:
		ok := w.finished && w.reopen(e.Stage)
		return ok, ok
	case StageStarted, StageSucceeded, StageFailed, StageLost, StageSkipped, StageCancelled:
		if max(e.Stage, e.Cause) >= w.next || e.Count > MaxInstances {
			return false, false
		}
	default:
		return false, false
	}
	if _, counts := w.attempt[e.Stage]; !counts {
		return false, true // terminal, and replaced since
	}
	if e.Attempt == 0 && (e.Type == StageSkipped || e.Type == StageCancelled) {
		return w.end(e)
	}
	return w.report(e)
}

// end is a decision.
func (w *twin) end(e Event) (changed, possible bool) {
	state := w.state(e.Stage)
	causeEnd, causeEnded := w.ended[e.Cause]
	if _, counts := w.attempt[e.Cause]; !counts {
		// where the end of those is kept that are replaced
		causeEnd, causeEnded = w.fault[e.Cause], true
	}
	if w.plan[e.Cause] == Skip && w.cause[e.Cause] == e.Cause {
		causeEnded = true // nearly
	}
	switch {
	case state.Terminal():
		return false, true
	case e.Type == StageCancelled:
		w.ended[e.Stage], w.begun[e.Stage] = Cancelled, state == Running
		return true, true
	case state == Running || e.Cause != e.Stage && !causeEnded:
		return false, false
	}
	w.ended[e.Stage], w.cause[e.Stage], w.fault[e.Stage] = Skipped, e.Cause, causeEnd
	return true, true
}

func (w *twin) report(e Event) (changed, possible bool) {
	s, state := e.Stage, w.state(e.Stage)
	switch {
	case e.Attempt < w.attempt[s] || state.Terminal():
		return false, true
	case e.Type == StageCancelled && state == Waiting:
		w.ended[s], w.begun[s], w.attempt[s] = Cancelled, true, e.Attempt
		return true, true
	case state == Waiting || e.Type == StageLost && e.Attempt == maxAttempt || e.Type == StageSkipped && e.Cause != s:
		return false, false
	}
	w.attempt[s] = e.Attempt
	delete(w.running, s)
	delete(w.retrying, s)
	_, decided := w.plan[s]
	switch e.Type {
	case StageStarted:
		w.running[s] = true
		return true, true
	case StageLost:
		w.attempt[s]++
		return true, true
	case StageFailed:
		if !e.Fatal && w.failures[s] < w.rule(s).Retries && !decided && !w.blocked(s) && e.Attempt < maxAttempt {
			w.failures[s]++
			w.attempt[s]++
			w.retrying[s] = true
			return true, true
		}
		w.ended[s] = Failed
		if w.rules.Stop && w.stopping == nil {
			w.stopping = []StageID{s}
		}
	case StageSucceeded:
		w.ended[s], w.elements[s] = Succeeded, int(e.Count)
	case StageSkipped:
		w.ended[s], w.cause[s] = Skipped, s
		delete(w.fault, s)
	case StageCancelled:
		w.ended[s] = Cancelled
	}
	w.begun[s] = true
	return true, true
}

// blocked reports whether a stage may not start any more.
func (w *twin) blocked(s StageID) bool {
	trigger := w.rule(s).Trigger
	return w.cancelling && trigger != AllDone || w.stopping != nil && (trigger == AllSuccess || trigger == AnySuccess)
}

// decide makes the decisions that are due.
func (w *twin) decide(said []Command) {
	for _, s := range append(slices.Clone(w.graph.Topological()), slices.Sorted(maps.Keys(w.mapped))...) {
		state := w.state(s)
		_, counts := w.attempt[s]
		if _, decided := w.plan[s]; decided || !counts || state == Running || state.Terminal() {
			continue
		}
		trigger := w.rule(s).Trigger
		causes := w.causes(s)
		held := state == Waiting && !w.allEnded(w.gathered(s))
		i := slices.IndexFunc(said, func(c Command) bool { return c.Type == Skip && c.Stage == s && slices.Contains(causes, c.Cause) })
		switch {
		case len(causes) > 0:
			w.plan[s], w.cause[s], w.unclaimable[s] = Skip, causes[0], true
			if i >= 0 {
				w.cause[s] = said[i].Cause
			} else if cause := w.chosen(s); held && slices.Contains(causes, cause) {
				w.cause[s] = cause
			}
		case w.cancelling && trigger != AllDone:
			w.plan[s] = Cancel
		case w.stopping != nil && (trigger == AllSuccess || trigger == AnySuccess):
			w.plan[s], w.cause[s] = Skip, w.stopping[0]
		}
		if _, decided := w.plan[s]; decided && held {
			w.held[s] = true
		}
	}
}

// causes returns why a stage can never be executed; nothing if it can.
func (w *twin) causes(s StageID) (list []StageID) {
	if _, instance := w.mapped[s]; instance {
		return nil
	}
	if instances, ok := w.instances[s]; ok {
		for _, i := range instances {
			if _, ended := w.ended[i]; ended && !w.succeeded(i) {
				list = append(list, w.causeOf(i))
			}
		}
		return list
	}
	rule, deps, ended := w.rule(s), w.graph.Deps(s), 0
	for _, d := range deps {
		state := w.state(d)
		if state.Terminal() {
			ended++
		}
		unclaimable := state.Terminal() && state != Succeeded || state == Waiting && w.unclaimable[d]
		passed := rule.Gather && w.causeOf(d) == d && state != Failed && state != Cancelled
		if unclaimable && (rule.Trigger == AllSuccess && !passed || rule.Each != nil && *rule.Each == d) {
			list = append(list, w.causeOf(d))
		}
	}
	switch {
	case list != nil || ended < len(deps) || w.holds(s):
		return list
	case rule.Trigger == AnyFailed:
		return []StageID{s}
	}
	for _, d := range deps {
		if w.failed(d) {
			return []StageID{w.causeOf(d)}
		}
	}
	return []StageID{w.causeOf(deps[0])}
}

// causeOf returns who is to blame for a stage that does not go well.
func (w *twin) causeOf(s StageID) StageID {
	if end, ended := w.ended[s]; ended && end != Skipped {
		return s
	}
	return w.cause[s]
}

// expand gives mapped stages their instances.
func (w *twin) expand(reopened bool) {
	order := slices.Sorted(slices.Values(w.graph.Topological()))
	if reopened {
		order = w.graph.Topological()
	}
	for _, s := range order {
		each := w.rule(s).Each
		_, fanned := w.instances[s]
		_, decided := w.plan[s]
		if each == nil || fanned || decided || w.state(s) != Waiting || !w.holds(s) || w.ended[*each] != Succeeded {
			continue
		}
		w.instances[s] = []StageID{}
		for range w.elements[*each] {
			w.instances[s] = append(w.instances[s], w.next)
			w.mapped[w.next], w.attempt[w.next] = s, max(1, w.used[fmt.Sprintf("%d[%d]", s, len(w.instances[s])-1)])
			w.next++
		}
	}
}

// wanted is everything that is to be done now, in the order of [Run.Pending].
func (w *twin) wanted() []Command {
	var commands []Command
	for _, s := range w.stages() {
		state := w.state(s)
		plan, decided := w.plan[s]
		switch {
		case state == Running || state.Terminal():
		case w.held[s] && !w.allEnded(w.gathered(s)):
		case decided && plan == Skip:
			commands = append(commands, Command{Type: Skip, Stage: s, Cause: w.cause[s]})
		case decided:
			commands = append(commands, Command{Type: Cancel, Stage: s})
		case state == Ready:
			commands = append(commands, Command{Type: Dispatch, Stage: s, Attempt: w.attempt[s]})
		case state == Retrying:
			commands = append(commands, Command{Type: Retry, Stage: s, Attempt: w.attempt[s]})
		}
	}
	if w.done() && !w.finished {
		commands = append(commands, Command{Type: Finish})
	}
	return commands
}
