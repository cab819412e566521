package coordinator

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

var update = flag.Bool("update", false, "write what the scripts in testdata print into them")

// TestScheduler_Scripts plays the scripts in testdata/scheduler. A script is a pipeline, then
// steps; lines that begin with two spaces are what the step before prints. Lines of a pipeline
// after a step begin a new case. See [script.stage] for what a pipeline may say, and [script.step]
// for the steps.
func TestScheduler_Scripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scheduler/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, file, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			compareLines(t, file, got, string(text))
		})
	}
}

func compareLines(t *testing.T, file, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s:%d: got %q, want %q (go test ./internal/coordinator -run Scripts -update, if what is printed is right)", file, i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("%s: got %d lines, want %d", file, len(g), len(w))
	}
}

// play returns the text with what its steps print now.
func play(t *testing.T, file, text string) string {
	var out strings.Builder
	s := newScript(t, "")
	for i, line := range strings.SplitAfter(text, "\n") {
		bare := strings.TrimSpace(line)
		if strings.HasPrefix(line, "  ") {
			continue
		}
		out.WriteString(line)
		s.place = fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case bare == "" || strings.HasPrefix(bare, "#"):
		case strings.Contains(bare, ":"):
			if s.scheduler != nil {
				s = newScript(t, s.place)
			}
			s.stage(bare)
		default:
			s.begin()
			s.step(&out, strings.Fields(bare))
		}
	}
	return out.String()
}

// script is a case that is being played: a scheduler, and as much of a coordinator as it needs.
type script struct {
	t         *testing.T
	place     string // of the step, for messages
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

func newScript(t *testing.T, place string) *script {
	return &script{t: t, place: place, builder: &spec.Builder{Name: "p"}, maxBatch: 8,
		workers: &fakeWorkers{slots: make(map[string]int), lacking: make(map[string]bool)}}
}

// stage reads a line of a pipeline: "NAME SETTING=VALUE ...: DEPENDENCY ...", or "batch N: " for
// the stages that a batch may have, which is 8 otherwise.
func (s *script) stage(line string) {
	s.t.Helper()
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
func (s *script) step(out *strings.Builder, words []string) {
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
			fmt.Fprintf(out, "  %s: %s\n", name, why)
		}
	default:
		s.event(s.lookup(words[0]), words[1:])
	}
	s.print(out)
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
func (s *script) print(out *strings.Builder) {
	for _, queue := range slices.Sorted(maps.Keys(s.scheduler.ready)) {
		for _, b := range s.scheduler.schedule(queue) {
			fmt.Fprintf(out, "  %s:", queue)
			for _, id := range b.stages {
				fmt.Fprintf(out, " %s#%d", s.stages.state.Name(id), s.stages.state.Attempt(id))
			}
			out.WriteByte('\n')
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
