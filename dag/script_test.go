package dag

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags/internal/scripttest"
)

// TestScripts plays the scripts in testdata, of which each case is a graph. See [script.rules] for
// what a graph may say, and [script.step] for the steps.
func TestScripts(t *testing.T) {
	var seen [numStates][skippedByAttempt + 1]bool
	scripttest.Run(t, "testdata/*.txt", func(t *testing.T) scripttest.Case { return &script{t: t, seen: &seen} })

	for s := range numStates {
		for e := range skippedByAttempt + 1 {
			if !seen[s][e] {
				t.Errorf("no script applies %q to a stage that is %s", e, s)
			}
		}
	}
}

// script is a case that is being played.
type script struct {
	t       *testing.T
	place   string   // of the step, for messages
	graph   []string // lines
	run     *Run     // nil before the first step
	events  []Event
	pending *outstanding
	seen    *[numStates][skippedByAttempt + 1]bool
}

// Define implements [scripttest.Case].
func (s *script) Define(_, line string) { s.graph = append(s.graph, line) }

// Step plays a step. It also checks that a new coordinator, which replays the events, would find
// the same commands pending.
func (s *script) Step(place, line string) []string {
	s.place = place
	if s.run == nil {
		s.run = NewRun(s.rules())
		s.pending = newOutstanding(s.run)
	}
	printed := s.step(strings.Fields(line))
	if got, want := replayed(s.t, s.run.Graph(), s.run.rules, s.events).Pending(nil), s.pending.list(); !slices.Equal(got, want) {
		s.t.Errorf("%s: after a replay %v is pending, and %v is outstanding", s.place, s.commands(got), s.commands(want))
	}
	return printed
}

// rules returns the graph, and its rules. After a semicolon a stage may have
//
//	all_done                  (or any_success, any_failed) its trigger
//	retries=2                 how often it may be executed again
//	each=a                    the dependency whose elements it has instances for
//	gather                    dependencies that skipped themselves are as good as any
//
// and the line "on_failure: stop" is about the run.
func (s *script) rules() (*Graph, Rules) {
	var rules Rules
	if rules.Stop = len(s.graph) > 0 && s.graph[0] == "on_failure: stop"; rules.Stop {
		s.graph = s.graph[1:]
	}
	g := build(s.t, s.graph...)
	for i, line := range s.graph {
		_, words, more := strings.Cut(line, ";")
		if !more {
			continue
		}
		if rules.KindOf == nil {
			rules.Kinds, rules.KindOf = make([]Rule, 1), make([]uint32, g.Len())
		}
		var rule Rule
		for _, word := range strings.Fields(words) {
			if dep, each := strings.CutPrefix(word, "each="); each {
				id, _ := g.Lookup(dep)
				rule.Each = &id
			} else if word == "gather" {
				rule.Gather = true
			} else if n, _ := fmt.Sscanf(word, "retries=%d", &rule.Retries); n == 0 {
				if err := rule.Trigger.UnmarshalText([]byte(word)); err != nil {
					s.t.Fatalf("%s: %v", s.place, err)
				}
			}
		}
		rules.KindOf[i] = uint32(len(rules.Kinds))
		rules.Kinds = append(rules.Kinds, rule)
	}
	return g, rules
}

// step plays one of
//
//	a#1 started               attempt 1 of stage a reports that it started
//	                          (or succeeded, failed, lost, skipped, cancelled)
//	a#1 failed fatally        there must be no further attempt
//	a#1 succeeded with 3      its output has three elements
//	skip b because a          the decision is recorded
//	cancel b                  the decision is recorded
//	cancel                    a cancellation of the run is requested
//	finish                    the run's end is recorded
//	reopen                    a retry of all stages that did not succeed is requested
//	reopen b                  a retry of b is requested
//	pending                   prints what is to be done
//	replay                    another coordinator takes over; prints what is to be done
//	states                    prints where all stages stand, and the run
//
// An event prints the commands that follow from it, or the error.
func (s *script) step(words []string) []string {
	switch {
	case words[0] == "pending":
		return s.commands(s.run.Pending(nil))
	case words[0] == "replay":
		s.run = replayed(s.t, s.run.Graph(), s.run.rules, s.events)
		return s.commands(s.run.Pending(nil))
	case words[0] == "states":
		return s.states()
	}
	return s.apply(s.event(words))
}

func (s *script) event(words []string) Event {
	switch {
	case words[0] == "skip":
		return Event{Type: StageSkipped, Stage: s.stage(words[1]), Cause: s.stage(words[3])}
	case words[0] == "cancel" && len(words) > 1:
		return Event{Type: StageCancelled, Stage: s.stage(words[1])}
	case words[0] == "cancel":
		return Event{Type: RunCancelling}
	case words[0] == "finish":
		return Event{Type: RunFinished}
	case words[0] == "reopen" && len(words) > 1:
		return Event{Type: RunReopened, Stage: s.stage(words[1])}
	case words[0] == "reopen":
		return Event{Type: RunReopened, Stage: NoStage}
	}
	name, number, _ := strings.Cut(words[0], "#")
	e := Event{Stage: s.stage(name)}
	if _, err := fmt.Sscan(number, &e.Attempt); err != nil {
		s.t.Fatalf("%s: attempt %q: %v", s.place, number, err)
	}
	reports := []EventType{StageStarted, StageSucceeded, StageFailed, StageLost, StageSkipped, StageCancelled}
	i := slices.IndexFunc(reports, func(r EventType) bool { return r.String() == words[1] })
	if i < 0 {
		s.t.Fatalf("%s: no step is called %q", s.place, words)
	}
	e.Type = reports[i]
	switch {
	case e.Type == StageSkipped:
		e.Cause = e.Stage
	case len(words) > 2 && words[2] == "with":
		fmt.Sscan(words[3], &e.Count)
	case len(words) > 2:
		e.Fatal = words[2] == "fatally"
	}
	return e
}

func (s *script) stage(name string) StageID {
	id, ok := s.run.Lookup(name)
	if !ok {
		s.t.Fatalf("%s: no stage is called %q", s.place, name)
	}
	return id
}

func (s *script) apply(e Event) []string {
	if e.Type < numStageEvents && (e.Attempt == 0 || e.Attempt >= s.run.Attempt(e.Stage)) {
		column := e.Type
		if column == StageSkipped && e.Attempt > 0 {
			column = skippedByAttempt
		}
		s.seen[s.run.State(e.Stage)][column] = true
	}
	commands, err := s.run.Apply(e, nil)
	if err != nil {
		return append(s.commands(commands), "error: "+err.Error())
	}
	s.events = append(s.events, e)
	s.pending.add(s.run, commands)
	return s.commands(commands)
}

func (s *script) commands(commands []Command) []string {
	var lines []string
	for _, c := range commands {
		switch name := s.run.Name; c.Type {
		case Dispatch:
			lines = append(lines, fmt.Sprintf("dispatch %s#%d", name(c.Stage), c.Attempt))
		case Retry:
			lines = append(lines, fmt.Sprintf("retry %s#%d after %d", name(c.Stage), c.Attempt, s.run.Failures(c.Stage)))
		case Skip:
			lines = append(lines, fmt.Sprintf("skip %s because %s", name(c.Stage), name(c.Cause)))
		case Cancel:
			lines = append(lines, "cancel "+name(c.Stage))
		default:
			lines = append(lines, c.Type.String())
		}
	}
	return lines
}

func (s *script) states() []string {
	var lines []string
	for id := range s.run.Stages() {
		line := fmt.Sprintf("%s#%d %s", s.run.Name(id), s.run.Attempt(id), s.run.State(id))
		if s.run.State(id) == Skipped {
			line += " because " + s.run.Name(s.run.Cause(id))
		}
		lines = append(lines, line)
	}
	line := "run " + s.run.Outcome().String()
	if s.run.Cancelling() {
		line += ", cancelling"
	}
	if s.run.Finished() {
		line += ", finished"
	}
	return append(lines, line)
}
