package delivery

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/scripttest"
)

// TestMachine_Scripts plays the scripts in testdata. A case begins with the stages of a batch, one
// a line. A step prints the commands that the machine gives after it.
//
// A stage is its name, a colon and the stage that it follows, if any. After a semicolon it may have
//
//	took=5ms    how long it is expected to take; 100µs if nothing is said
//	guess=2     its kind is unknown, and so many such stages may be claimed at once
//	cleanup     it is executed in a cancelled run too
//
// The steps are the methods [script.step] calls.
func TestMachine_Scripts(t *testing.T) {
	scripttest.Run(t, "testdata/*.txt", func(t *testing.T) scripttest.Case { return newScript(t) })
}

// Define implements [scripttest.Case].
func (s *script) Define(_, line string) {
	s.stages = append(s.stages, parseStage(s.T, s, line))
}

// Step implements [scripttest.Case].
func (s *script) Step(_, line string) []string {
	s.printed = nil
	s.step(strings.Fields(line))
	return s.printed
}

// stage is a stage of a script.
type stage struct {
	name     string
	before   dag.StageID
	follows  bool
	cleansUp bool
	estimate Estimate
}

// stages is the [Stages] of a script.
type stages []stage

func (s stages) Predecessor(id dag.StageID) (dag.StageID, bool) { return s[id].before, s[id].follows }
func (s stages) CleansUp(id dag.StageID) bool                   { return s[id].cleansUp }
func (s stages) Estimate(id dag.StageID) Estimate               { return s[id].estimate }

func (s stages) find(name string) (dag.StageID, bool) {
	i := slices.IndexFunc(s, func(other stage) bool { return other.name == name })
	return dag.StageID(max(i, 0)), i >= 0
}

func parseStage(t *testing.T, s *script, line string) stage {
	head, options, _ := strings.Cut(line, ";")
	name, before, _ := strings.Cut(head, ":")
	one := stage{name: name, estimate: Estimate{Took: 100 * time.Microsecond}}
	if before = strings.TrimSpace(before); before != "" {
		one.before, one.follows = s.id(before), true
	}
	for _, option := range strings.Fields(options) {
		what, value, _ := strings.Cut(option, "=")
		var err error
		switch what {
		case "took":
			one.estimate.Took, err = time.ParseDuration(value)
		case "guess":
			one.estimate.Guessed = true
			one.estimate.AtOnce, err = strconv.Atoi(value)
		case "cleanup":
			one.cleansUp = true
		default:
			t.Fatalf("unknown option %q", option)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return one
}

// script is a case that is being played.
type script struct {
	*testing.T
	stages   stages
	machine  *Machine
	draining bool
	running  journal.AttemptID // the attempt that was started last
	ops      []journal.Op      // that are in flight
	printed  []string
}

func newScript(t *testing.T) *script { return &script{T: t} }

func (s *script) id(name string) dag.StageID {
	id, ok := s.stages.find(name)
	if !ok {
		s.Fatalf("there is no stage %q", name)
	}
	return id
}

func (s *script) attempt(name string) journal.AttemptID {
	return journal.AttemptID{Stage: s.id(name), Attempt: 1}
}

func (s *script) names(attempts []journal.AttemptID) string {
	names := make([]string, len(attempts))
	for i, a := range attempts {
		names[i] = s.stages[a.Stage].name
	}
	return strings.Join(names, " ")
}

func (s *script) print(words ...string) {
	s.printed = append(s.printed, strings.TrimSpace(strings.Join(words, " ")))
}

func (s *script) step(words []string) {
	args := words[1:]
	switch words[0] {
	case "deliver": // attempts; the worker does not know those with a question mark
		s.deliver(args)
	case "answer": // all that was sent is accepted, but for the stages named behind "refused"
		s.answer(args)
	case "end": // succeeded, failed, skipped, or revoked
		s.end(args[0])
	case "late": // report, requeue, or return: the running attempt has reached that time
		after := map[string]time.Duration{"report": ReportAfter, "requeue": RequeueAfter, "return": ReturnAfter}[args[0]]
		s.show(s.machine.Late(s.running, after))
	case "revoke":
		if s.machine.Revoke(s.attempt(args[0])) {
			s.print("kill", args[0])
		}
	case "halt":
		s.machine.Halt(errors.New(strings.Join(args, " ")))
	case "cancel":
		s.machine.Halt(ErrCancelled)
	case "drain":
		s.draining = true
	case "fail":
		s.machine.Fail()
		if !s.machine.running.active {
			s.next()
		}
	case "next":
		s.next()
	case "state":
		s.state()
	default:
		s.Fatalf("unknown step %q", words[0])
	}
}

func (s *script) deliver(names []string) {
	unknown := make(map[dag.StageID]bool)
	var attempts []journal.AttemptID
	for _, name := range names {
		name, strange := strings.CutSuffix(name, "?")
		attempts = append(attempts, s.attempt(name))
		unknown[s.id(name)] = strange
	}
	s.machine = New(s.stages, attempts)
	if requeue, _ := s.machine.Reject(func(id dag.StageID) bool { return unknown[id] }); len(requeue) > 0 {
		s.print("requeue", s.names(requeue))
	}
	s.next()
}

func (s *script) answer(refused []string) {
	if s.ops == nil {
		s.Fatal("nothing was sent that can be answered")
	}
	accepted := make([]bool, len(s.ops))
	for i, op := range s.ops {
		accepted[i] = !slices.Contains(refused, s.stages[op.Record.Stage].name)
	}
	s.ops = nil
	unrecorded, kill := s.machine.Answer(accepted)
	if len(unrecorded) > 0 {
		s.print("not recorded:", s.names(unrecorded))
	}
	if kill {
		s.print("kill", s.stages[s.running.Stage].name)
	}
	if !s.machine.running.active {
		s.next()
	}
}

func (s *script) end(how string) {
	types := map[string]journal.Type{"succeeded": journal.StageSucceeded, "failed": journal.StageFailed, "skipped": journal.StageSkipped}
	var o *journal.Outcome
	if how != "revoked" {
		kind, ok := types[how]
		if !ok {
			s.Fatalf("no attempt ends as %q", how)
		}
		o = &journal.Outcome{Record: journal.Record{Type: kind, Stage: s.running.Stage, Attempt: s.running.Attempt}}
	}
	s.machine.End(o)
	s.next()
}

// next carries out commands until one of them takes time.
func (s *script) next() {
	for s.show(s.machine.Next(s.draining)) == Requeue {
	}
}

// show prints a command and remembers what it has started.
func (s *script) show(c Command) Action {
	if c.Action == Send && s.ops != nil {
		s.Errorf("a second call is sent while one is in flight")
	}
	slot := ""
	if c.SlotFree {
		slot = "(slot free)"
	}
	switch c.Action {
	case Start:
		s.running = c.Attempt
		chain := ""
		if c.Before != nil {
			chain = "in the chain of " + s.names(c.Chain)
		}
		s.print("start", s.names([]journal.AttemptID{c.Attempt}), chain)
	case Send:
		s.ops = slices.Clone(c.Ops)
		for _, op := range c.Ops {
			s.print(s.describe(op))
		}
		if c.SlotFree {
			s.print(slot)
		}
	case Requeue:
		s.print("requeue", s.names(c.Attempts), slot)
	case Wait:
		s.print("wait", slot)
	case Done:
		s.print("done", slot)
	}
	return c.Action
}

func (s *script) describe(op journal.Op) string {
	name := s.stages[op.Record.Stage].name
	text := "report " + name + " " + strings.TrimPrefix(op.Record.Type.String(), "stage.")
	if op.Record.Type == journal.StageStarted {
		text = "claim " + name
	}
	if op.Linked {
		text += ", linked"
	}
	if op.CleanUp {
		text += ", cleanup"
	}
	if op.Record.Text != "" {
		text += ": " + op.Record.Text
	}
	return text
}

// state prints the attempts that are not finished.
func (s *script) state() {
	s.print("waiting:", s.names(s.machine.schedule.waiting))
	var runnable []string
	for _, a := range s.machine.schedule.runnable {
		name := s.stages[a.Stage].name
		if a.fused {
			name += " (fused)"
		}
		runnable = append(runnable, name)
	}
	s.print("runnable:", strings.Join(runnable, " "))
	held := s.machine.Held()
	slices.SortFunc(held, func(a, b journal.AttemptID) int { return int(a.Stage) - int(b.Stage) })
	s.print("held:", s.names(held))
	s.print("claimed:", s.names(s.machine.Claimed()))
}
