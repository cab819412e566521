package dag

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// subject is a run that is compared with its twin, and with a second run of the same events, after
// every event.
type subject struct {
	t           *rapid.T
	run, second *Run
	twin        *twin
	events      []Event   // those that were no errors
	commands    []Command // that followed from the last one
	outstanding *outstanding
}

func newSubject(t *rapid.T, g *Graph, rules Rules) *subject {
	s := &subject{t: t, run: NewRun(g, rules), second: NewRun(g, rules)}
	s.twin = newTwin(g, rules, s.run.Pending(nil), func(id StageID) StageID { return s.run.Cause(id) })
	s.outstanding = newOutstanding(s.run)
	s.compare()
	return s
}

func (s *subject) apply(e Event) error {
	s.t.Helper()
	s.t.Logf("%+v", e)
	before := snapshot(s.run)
	already := []Command{{Type: Skip, Stage: 7}, {Type: Dispatch}} // must be left alone
	got, err := s.run.Apply(e, slices.Clone(already))
	if !slices.Equal(got[:len(already)], already) {
		s.t.Fatalf("commands were %v, and became %v", already, got)
	}
	got = got[len(already):]
	again, errAgain := s.second.Apply(e, nil)
	if !slices.Equal(got, again) || (err == nil) != (errAgain == nil) {
		s.t.Fatalf("the same events gave %v, %v and %v, %v", got, err, again, errAgain)
	}
	want, possible := s.twin.apply(e, got)
	if possible != (err == nil) {
		s.t.Fatalf("error %v, want one: %v", err, !possible)
	}
	if err != nil {
		if after := snapshot(s.run); len(got) > 0 || !reflect.DeepEqual(before, after) {
			s.t.Fatalf("the run changed with an error: commands %v, before %+v, after %+v", got, before, after)
		}
		return err
	}
	if sorted := slices.SortedFunc(slices.Values(got), inPendingOrder); !slices.Equal(sorted, want) {
		s.t.Fatalf("commands too many %+v, missing %+v", without(sorted, want), without(want, sorted))
	}
	s.events, s.commands = append(s.events, e), got
	s.outstanding.add(s.run, got)
	s.invariants(before)
	s.compare()
	return nil
}

// without returns the commands that are not among others; all if those are the same in another
// order.
func without(commands, others []Command) []Command {
	list := slices.DeleteFunc(slices.Clone(commands), func(c Command) bool { return slices.Contains(others, c) })
	if len(list) == 0 && len(commands) == len(others) {
		return commands
	}
	return list
}

// inPendingOrder is by stage, and what is about the run comes last.
func inPendingOrder(a, b Command) int {
	return cmp.Or(cmp.Compare(a.Type/Finish, b.Type/Finish), cmp.Compare(a.Stage, b.Stage))
}

// snapshot is a deep copy.
func snapshot(r *Run) Run {
	c := *r
	c.stages.state = slices.Clone(r.stages.state)
	c.stages.attempt = slices.Clone(r.stages.attempt)
	c.stages.missing = slices.Clone(r.stages.missing)
	c.stages.decision = slices.Clone(r.stages.decision)
	c.stages.ending = slices.Clone(r.stages.ending)
	c.stages.cause = slices.Clone(r.stages.cause)
	c.stages.failures = maps.Clone(r.stages.failures)
	c.elements = maps.Clone(r.elements)
	c.expansions = slices.Clone(r.expansions)
	c.current = maps.Clone(r.current)
	c.nextFirst = maps.Clone(r.nextFirst)
	return c
}

// compare compares all that can be seen of the run with its twin.
func (s *subject) compare() {
	s.t.Helper()
	r, w := s.run, s.twin
	if got, want := slices.Collect(r.Stages()), w.stages(); !slices.Equal(got, want) || r.Total() != len(want) || r.Len() != int(w.next) {
		s.t.Fatalf("of %d ids %d stages count: %v, want %v", r.Len(), r.Total(), got, want)
	}
	for id := range r.Stages() {
		if r.State(id) != w.state(id) || r.Attempt(id) != w.attempt[id] {
			s.t.Fatalf("stage %d is %v#%d, want %v#%d", id, r.State(id), r.Attempt(id), w.state(id), w.attempt[id])
		}
		if found, ok := r.Lookup(r.Name(id)); !ok || found != id {
			s.t.Fatalf("the stage with the name %q is %d, want %d", r.Name(id), found, id)
		}
		if r.State(id) == Skipped && r.Cause(id) != w.cause[id] {
			s.t.Fatalf("stage %d is skipped because of %d, want %d", id, r.Cause(id), w.cause[id])
		}
	}
	for state := range numStates {
		if r.Count(state) != w.count(state) {
			s.t.Fatalf("%d stages %v, want %d", r.Count(state), state, w.count(state))
		}
	}
	got := []any{r.Done(), r.Outcome(), r.Cancelling(), r.Finished()}
	if want := []any{w.done(), w.outcome(), w.cancelling, w.finished}; !slices.Equal(got, want) {
		s.t.Fatalf("done, outcome, cancelling, finished: %v, want %v", got, want)
	}
	pending := r.Pending(nil)
	if want := w.wanted(); !slices.Equal(pending, want) {
		s.t.Fatalf("pending too many %+v, missing %+v", without(pending, want), without(want, pending))
	}
	if want := s.outstanding.list(); !slices.Equal(pending, want) {
		s.t.Fatalf("pending %+v, outstanding %+v", pending, want)
	}
}

// invariants checks what the package comment promises, and what the run knows of itself.
func (s *subject) invariants(before Run) {
	s.t.Helper()
	r := s.run
	for id := range r.Stages() {
		state := r.State(id)
		switch {
		case r.stages.missing[id] != r.countMissing(id):
			s.t.Fatalf("stage %d waits for %d, want %d", id, r.stages.missing[id], r.countMissing(id))
		case r.stages.missing[id] > 0 && r.rule(id).Trigger <= AllDone && state != Waiting && state != Skipped && state != Cancelled:
			s.t.Fatalf("stage %d is %v and waits for %d others", id, state, r.stages.missing[id])
		case int(id) >= len(before.stages.state):
		case before.stages.state[id].Terminal() && state != before.stages.state[id] && !before.finished:
			s.t.Fatalf("stage %d was %v, and became %v", id, before.stages.state[id], state)
		case r.Attempt(id) < before.stages.attempt[id]:
			s.t.Fatalf("stage %d was in attempt %d, and is in %d", id, before.stages.attempt[id], r.Attempt(id))
		}
	}
	for _, c := range r.Pending(nil) {
		if c.Type == Dispatch && (r.Cancelling() && r.rule(c.Stage).Trigger != AllDone || r.State(c.Stage) != Ready) {
			s.t.Fatalf("%+v is to be dispatched: it is %v, cancelling %v", c, r.State(c.Stage), r.Cancelling())
		}
	}
}

// restart compares a run that replays the events with the one that lived through them.
func (s *subject) restart() {
	s.t.Helper()
	fresh := replayed(s.t, s.run.Graph(), s.run.rules, s.events)
	if !reflect.DeepEqual(snapshot(fresh), snapshot(s.run)) {
		s.t.Fatalf("a replay gives %+v, want %+v", fresh, s.run)
	}
	s.run = fresh
}

// TestRunAgainstTwin feeds random events: what a coordinator would make of the commands,
// repetitions, reports of old attempts, nonsense.
func TestRunAgainstTwin(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := drawGraph(t)
		s := newSubject(t, g, drawRules(t, g))
		for range rapid.OneOf(rapid.IntRange(50, 150), rapid.IntRange(0, 50)).Draw(t, "events") {
			_ = s.apply(s.draw()) // compared with the twin already
		}
		s.restart()
		s.compare()
	})
}

func (s *subject) draw() Event {
	n := s.run.Len()
	kinds := []string{"sensible", "sensible", "sensible", "sensible", "again", "any", "any", "cancel", "finish", "reopen"}
	kind := rapid.SampledFrom(kinds).Draw(s.t, "kind")
	switch {
	case kind == "again" && len(s.events) > 0:
		return rapid.SampledFrom(s.events).Draw(s.t, "event")
	case kind == "cancel" && rapid.IntRange(0, 9).Draw(s.t, "really") == 0:
		return Event{Type: RunCancelling}
	case kind == "finish":
		return Event{Type: RunFinished}
	case kind == "reopen":
		return Event{Type: RunReopened, Stage: s.drawReopened()}
	case kind == "sensible":
		if e := sensible(s.run); len(e) > 0 {
			return rapid.SampledFrom(e).Draw(s.t, "event")
		}
	}
	attempt := rapid.OneOf(rapid.Uint16Range(0, 4), rapid.Just(uint16(maxAttempt))).Draw(s.t, "attempt")
	return Event{
		Type:    EventType(rapid.IntRange(0, int(numStageEvents)+numEvents).Draw(s.t, "type")),
		Stage:   StageID(rapid.IntRange(0, n).Draw(s.t, "stage")),
		Cause:   StageID(rapid.IntRange(0, n).Draw(s.t, "cause")),
		Attempt: Attempt(attempt),
		Count:   rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Just(uint32(MaxInstances+1))).Draw(s.t, "count"),
		Fatal:   rapid.Bool().Draw(s.t, "fatal"),
	}
}

// drawReopened draws a stage to be executed again, or that all are that did not go well.
func (s *subject) drawReopened() StageID {
	if n := s.run.Len(); rapid.Bool().Draw(s.t, "one") {
		return StageID(rapid.IntRange(0, n).Draw(s.t, "reopened"))
	}
	return NoStage
}

// sensible returns events that can happen next to a run whose workers and coordinators are well.
func sensible(r *Run) []Event {
	var events []Event
	for _, c := range r.Pending(nil) {
		switch c.Type {
		case Dispatch, Retry:
			events = append(events, Event{Type: StageStarted, Stage: c.Stage, Attempt: c.Attempt})
		case Skip:
			events = append(events, Event{Type: StageSkipped, Stage: c.Stage, Cause: c.Cause})
		case Cancel:
			events = append(events, Event{Type: StageCancelled, Stage: c.Stage})
		case Finish:
			events = append(events, Event{Type: RunFinished})
		}
	}
	for id := range r.Stages() {
		if r.State(id) != Running {
			continue
		}
		for _, report := range []EventType{StageSucceeded, StageSucceeded, StageSucceeded, StageFailed, StageLost, StageSkipped} {
			events = append(events, Event{Type: report, Stage: id, Attempt: r.Attempt(id), Cause: id, Count: uint32(id % 4), Fatal: id%5 == 4})
		}
	}
	return events
}
