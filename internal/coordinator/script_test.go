package coordinator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/scripttest"
	"github.com/godags/godags/internal/spec"
)

// TestScheduler_Scripts plays the scripts in testdata/scheduler, of which each case is a pipeline.
// See [script.Define] for what a pipeline may say, and [script.step] for the steps.
func TestScheduler_Scripts(t *testing.T) {
	scripttest.Run(t, "testdata/scheduler/*.txt", func(t *testing.T) scripttest.Case { return newScript(t) })
}

// script is a case that is being played: a scheduler, and as much of a coordinator as it needs.
type script struct {
	t         *testing.T
	place     string   // of the line, for messages
	printed   []string // by the step
	builder   *spec.Builder
	maxBatch  int
	stages    *stages
	inflight  *inFlight
	timers    *timers
	scheduler *scheduler // nil before the first step
	workers   *fakeWorkers
	begun     bool
}

type fakeWorkers struct {
	slots   map[string]int
	lacking map[string]bool // tasks without a handler
}

func (w *fakeWorkers) Slots(queue string) int       { return w.slots[queue] }
func (w *fakeWorkers) Lack(queue, task string) bool { return w.slots[queue] > 0 && w.lacking[task] }

func newScript(t *testing.T) *script {
	return &script{t: t, builder: &spec.Builder{Name: "p"}, maxBatch: 8,
		workers: &fakeWorkers{slots: make(map[string]int), lacking: make(map[string]bool)}}
}

// Define reads a line of a pipeline: "NAME SETTING=VALUE ...: DEPENDENCY ...", or "batch N: " for
// the stages that a batch may have, which is 8 otherwise.
func (s *script) Define(place, line string) {
	s.t.Helper()
	s.place = place
	before, after, _ := strings.Cut(line, ":")
	words := strings.Fields(before)
	if words[0] == "batch" {
		s.maxBatch = s.number(words[1])
		return
	}

	kind := spec.Kind{Task: "noop"}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "queue":
			kind.Queue = value
		case "task":
			kind.Task = value
		case "priority":
			kind.Priority = s.number(value)
		case "max_parallel":
			kind.MaxParallel = s.number(value)
		case "retries":
			kind.Retries = s.number(value)
		case "for_each":
			kind.ForEach = value
		case "trigger":
			if err := kind.Trigger.UnmarshalText([]byte(value)); err != nil {
				s.t.Fatalf("%s: %v", s.place, err)
			}
		case "cell":
			kind.Item = json.RawMessage(`{}`)
			kind.Index = s.number(value)
		case "gather":
			kind = spec.Kind{Gather: true}
		default:
			s.t.Fatalf("%s: what is %q?", s.place, word)
		}
	}
	s.builder.Add(words[0], strings.Fields(after), kind)
}

// Step implements [scripttest.Case].
func (s *script) Step(place, line string) []string {
	s.t.Helper()
	s.place = place
	s.printed = nil
	s.begin()
	s.step(strings.Fields(line))
	return s.printed
}

func (s *script) begin() {
	if s.scheduler != nil {
		return
	}
	sp, err := s.builder.Build()
	if err != nil {
		s.t.Fatalf("%s: %v", s.place, err)
	}
	s.stages = &stages{sp, dag.NewRun(sp.Graph, sp.Rules())}
	s.inflight = newInFlight(s.stages)
	s.timers = newTimers(sp)
	s.scheduler = newScheduler(s.stages, s.inflight, s.timers, s.workers, s.maxBatch, true)
}

// step does one of these, and prints what is sent then:
//
//	workers QUEUE=SLOTS ...     live workers have so many slots; the first time, the run begins
//	without TASK ...            no worker has a handler for these tasks
//	STAGE started
//	STAGE succeeded [DURATION] [ELEMENTS]
//	STAGE failed, cancelled     a failed stage that is retried waits for its next attempt
//	STAGE lost [paused]         so does a lost one that is paused
//	resume                      all pauses are over
//	why STAGE ...               prints why the stages are not sent
func (s *script) step(words []string) {
	s.t.Helper()
	switch words[0] {
	case "workers":
		for _, word := range words[1:] {
			queue, slots, _ := strings.Cut(word, "=")
			s.workers.slots[queue] = s.number(slots)
		}
		s.scheduler.workersChanged()
		if !s.begun {
			s.begun = true
			s.carryOut(s.stages.state.Pending(nil))
		}
	case "without":
		clear(s.workers.lacking)
		for _, task := range words[1:] {
			s.workers.lacking[task] = true
		}
		s.scheduler.workersChanged()
	case "resume":
		due, _ := s.timers.fire(time.Now().AddDate(1, 0, 0))
		for _, id := range due {
			s.scheduler.add(id)
		}
	case "why":
		for _, name := range words[1:] {
			why := s.scheduler.admit(s.lookup(name))
			if why == admitted {
				why = "admitted"
			}
			s.printed = append(s.printed, fmt.Sprintf("%s: %s", name, why))
		}
	default:
		s.event(s.lookup(words[0]), words[1:])
	}
	s.print()
}

// event applies what has happened to a stage, as a coordinator does.
func (s *script) event(id dag.StageID, words []string) {
	s.t.Helper()
	state := s.stages.state
	e := dag.Event{Stage: id, Attempt: state.Attempt(id)}
	took := time.Duration(0)
	switch words[0] {
	case "started":
		s.apply(dag.Event{Type: dag.StageStarted, Stage: id, Attempt: e.Attempt})
		s.inflight.claim(id, e.Attempt, "w1", time.Time{})
		return
	case "succeeded":
		e.Type = dag.StageSucceeded
		for _, word := range words[1:] {
			if d, err := time.ParseDuration(word); err == nil {
				took = d
			} else {
				e.Count = uint32(s.number(word))
			}
		}
	case "failed":
		e.Type = dag.StageFailed
	case "lost":
		e.Type = dag.StageLost
	case "cancelled":
		e.Type = dag.StageCancelled
	default:
		s.t.Fatalf("%s: what is %q?", s.place, words[0])
	}

	if state.State(id) != dag.Running && e.Type != dag.StageCancelled {
		s.event(id, []string{"started"})
	}
	commands := s.apply(e)
	if e.Type == dag.StageSucceeded {
		s.scheduler.learn(id, took)
	}
	if state.State(id) == dag.Retrying || words[len(words)-1] == "paused" {
		s.timers.pause(id, state.Attempt(id), time.Time{}, time.Minute)
	}
	if b := s.inflight.complete(id, time.Time{}); b != nil {
		s.scheduler.completed(id, b)
	}
	s.carryOut(commands)
}

func (s *script) apply(e dag.Event) []dag.Command {
	s.t.Helper()
	commands, err := s.stages.state.Apply(e, nil)
	if err != nil {
		s.t.Fatalf("%s: %v", s.place, err)
	}
	return commands
}

func (s *script) carryOut(commands []dag.Command) {
	for _, c := range commands {
		if c.Type == dag.Dispatch {
			s.scheduler.add(c.Stage)
		}
	}
}

// print prints the batches that are sent now.
func (s *script) print() {
	for _, queue := range slices.Sorted(maps.Keys(s.scheduler.ready)) {
		for _, b := range s.scheduler.schedule(queue) {
			line := queue + ":"
			for _, id := range b.stages {
				line += fmt.Sprintf(" %s#%d", s.stages.state.Name(id), s.stages.state.Attempt(id))
			}
			s.printed = append(s.printed, line)
		}
	}
}

func (s *script) lookup(name string) dag.StageID {
	s.t.Helper()
	id, ok := s.stages.state.Lookup(name)
	if !ok {
		s.t.Fatalf("%s: no stage %q", s.place, name)
	}
	return id
}

func (s *script) number(text string) int {
	s.t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatalf("%s: %v", s.place, err)
	}
	return n
}
