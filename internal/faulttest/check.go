// Package faulttest finds out whether a run kept the promise: every stage is executed at least
// once, its outcome is recorded exactly once, a worker that was replaced records nothing, and
// nothing remains. It is for tests.
//
// What it reads is what `coordinator events RUN` prints, and nothing of how it came about: it would
// find out about a journal that the programs themselves take for sound. The rules have names, which
// failures mention:
//
//	I1  every stage has exactly one outcome, every attempt at most one
//	I2  nothing is claimed before its dependencies allow it
//	I3  the run ends, and in time
//	I4  what a superseded attempt reports is not recorded
//	I5  a stage is executed once, and once more at the most for each fault
//	I6  nothing remains in Redis: see [Leftovers]
//	I7  no process remains: see [Processes]
//	I8  the state that is reported is the one that the journal tells
package faulttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is a line that `coordinator events` prints, as far as the rules are concerned.
type Event struct {
	Seq     int            `json:"seq"`
	Time    time.Time      `json:"time"`
	Type    string         `json:"type"`
	Stage   string         `json:"stage"`
	Attempt int            `json:"attempt"`
	Worker  string         `json:"worker"`
	Reason  string         `json:"reason"`
	Error   string         `json:"error"`
	Cause   string         `json:"cause"`
	Next    time.Time      `json:"next"` // of stage.retrying
	State   string         `json:"state"`
	Counts  map[string]int `json:"counts"`
}

// Parse reads what `coordinator events` has printed. Messages of a run's progress between the
// events are left out.
func Parse(text string) ([]Event, error) {
	var events []Event
	for line := range strings.Lines(text) {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("event %d: %w: %s", len(events)+1, err, line)
		}
		if e.Type != "message" {
			events = append(events, e)
		}
	}

	return events, nil
}

// Stage is a stage of the pipeline that was run.
type Stage struct {
	Name    string
	After   []string
	Trigger string // all_success if empty
	Retries int
	ForEach bool // it has instances, whose number is unknown before the run
}

// Trial is a run, what was done to it, and what the programs say of it.
type Trial struct {
	Stages   []Stage
	Events   []Event
	Faults   int            // how often something was done to it
	Bound    time.Duration  // for the whole run; 0 for any time
	State    string         // that `coordinator status` reports; not compared if empty
	Reported map[string]int // its stages by outcome
}

// Check returns what is wrong with a trial: nothing if all is well.
func Check(t Trial) []error {
	c := &checker{Trial: t, stages: make(map[string]*stage)}
	for _, s := range t.Stages {
		c.stages[s.Name] = &stage{Stage: s}
	}

	for i, e := range t.Events {
		c.now = e

		// A gap in the numbers would hide an event from all other rules.
		if e.Seq != i+1 {
			c.fail("I8", "it should have number %d", i+1)
		}
		c.apply(e)
	}

	// All findings are returned, not the first: together they show what has happened.
	c.end()
	return c.errs
}

// stage is a stage as far as its events were read.
type stage struct {
	Stage
	instances  []string // which it comes after too
	attempt    int      // claimed last
	worker     string   // who claimed it
	running    bool     // the attempt has been claimed and has not ended
	executions int
	failures   int
	notBefore  time.Time // when its next attempt is due
	outcome    string
}

type checker struct {
	Trial
	stages     map[string]*stage
	now        Event
	cancelling bool
	finished   *Event
	errs       []error
}

func (c *checker) fail(rule, format string, args ...any) {
	where := ""
	if c.now.Seq > 0 {
		where = fmt.Sprintf("event %d (%s", c.now.Seq, c.now.Type)
		if c.now.Stage != "" {
			where += fmt.Sprintf(" %s#%d", c.now.Stage, c.now.Attempt)
		}
		where += "): "
	}

	c.errs = append(c.errs, fmt.Errorf("%s: %s%s", rule, where, fmt.Sprintf(format, args...)))
}

func (c *checker) apply(e Event) {
	// The end is recorded once, and nothing is recorded after it.
	if c.finished != nil {
		c.fail("I1", "the run was finished before")
	}

	switch e.Type {
	case "run.submitted":
		if e.Seq != 1 {
			c.fail("I1", "the run was submitted before")
		}
		return

	case "run.cancelling":
		c.cancelling = true
		return
	case "run.finished":
		c.finished = &e
		return
	}

	s := c.find(e.Stage)
	if s == nil {
		c.fail("I8", "the pipeline has no such stage")
		return
	}

	switch e.Type {
	case "stage.started":
		c.start(s, e)
	case "stage.succeeded", "stage.failed", "stage.cancelled", "stage.retrying":
		c.ended(s, e)
	case "stage.skipped":
		c.skipped(s, e)
	case "stage.lost":
		c.lost(s, e)
	default:
		c.fail("I8", "there is no such event")
	}
}

// clocks is by how much a retry may be early: it waits by the clock of its coordinator, and is due
// by that of Redis.
const clocks = 50 * time.Millisecond

// find returns a stage of the pipeline, or an instance of one: name[0] comes after what name comes
// after, and before name itself.
func (c *checker) find(name string) *stage {
	if s := c.stages[name]; s != nil {
		return s
	}

	base, _, _ := strings.Cut(name, "[")
	template := c.stages[base]
	if template == nil || !template.ForEach {
		return nil
	}

	// The number of instances is unknown before the run, so an instance exists from its first
	// event.
	template.instances = append(template.instances, name)
	instance := &stage{Stage: Stage{Name: name, After: template.After, Retries: template.Retries}}
	c.stages[name] = instance
	return instance
}

func (c *checker) start(s *stage, e Event) {
	switch {
	case s.outcome != "":
		c.fail("I1", "it is claimed although it has %s", s.outcome)
	case s.running:
		c.fail("I4", "it is claimed while attempt %d runs", s.attempt)
	case e.Attempt != s.attempt+1:
		c.fail("I4", "attempt %d is claimed after attempt %d", e.Attempt, s.attempt)
	}

	if why := c.forbidden(s); why != "" {
		c.fail("I2", "%s", why)
	}

	// Retries are promised to wait, so a retry that is late breaks no rule here, and one that is
	// early does.
	if e.Time.Before(s.notBefore.Add(-clocks)) {
		c.fail("I2", "it is tried again %s too early", s.notBefore.Sub(e.Time))
	}

	s.attempt = e.Attempt
	s.worker = e.Worker
	s.running = true
	s.executions++
}

// forbidden says why a stage must not be executed yet.
func (c *checker) forbidden(s *stage) string {
	ended := 0
	succeeded := 0
	failed := 0
	after := slices.Concat(s.After, s.instances)
	for _, name := range after {
		switch dep := c.stages[name]; dep.outcome {
		case "":
			continue
		case "succeeded":
			succeeded++
		case "failed", "skipped":
			failed++
		}

		ended++
	}

	missing := ""
	switch s.Trigger {
	case "all_done":
		if ended == len(after) {
			return ""
		}
		missing = fmt.Sprintf("%d of %d dependencies have ended", ended, len(after))

	case "any_success":
		if succeeded == 0 {
			missing = "no dependency has succeeded"
		}
	case "any_failed":
		if failed == 0 {
			missing = "no dependency has failed"
		}
	default:
		if succeeded < len(after) {
			missing = fmt.Sprintf("%d of %d dependencies have succeeded", succeeded, len(after))
		}
	}

	// After the triggers: a stage with all_done is executed in a cancelled run too.
	if missing == "" && c.cancelling {
		return "the run is being cancelled"
	}

	return missing
}

// ended is for the outcomes that a worker reports of an attempt; the coordinator too may fail or
// cancel one.
func (c *checker) ended(s *stage, e Event) {
	name := strings.TrimPrefix(e.Type, "stage.")

	// A decision of the coordinator has no worker. Success is never one.
	decided := e.Worker == "" && name != "succeeded"
	switch {
	case s.outcome != "":
		c.fail("I1", "it has %s already", s.outcome)
	case decided && !s.running && name == "cancelled": // it never ran
	case !s.running:
		c.fail("I4", "attempt %d is not running", e.Attempt)
	case !decided && (e.Attempt != s.attempt && e.Attempt != 0 || e.Worker != s.worker):
		c.fail("I4", "%s reports attempt %d, and %s has attempt %d", e.Worker, e.Attempt, s.worker, s.attempt)
	}

	if name == "cancelled" && !c.cancelling {
		c.fail("I1", "the run was cancelled without a request")
	}

	s.running = false
	if name == "retrying" {
		if s.failures++; s.failures > s.Retries {
			c.fail("I1", "it has failed %d times, and is tried again", s.failures)
		}
		s.notBefore = e.Next
		return
	}

	s.outcome = name
}

func (c *checker) skipped(s *stage, e Event) {
	switch {
	case s.outcome != "":
		c.fail("I1", "it has %s already", s.outcome)
	case s.running && e.Worker != s.worker:
		// a worker that finds its condition unmet skips it itself
		c.fail("I1", "attempt %d runs", s.attempt)
	case c.stages[e.Cause] == nil:
		c.fail("I8", "its cause %q is no stage", e.Cause)
	}

	s.running = false
	s.outcome = "skipped"
}

func (c *checker) lost(s *stage, e Event) {
	if !s.running || e.Attempt != s.attempt {
		c.fail("I4", "attempt %d is lost, and attempt %d was claimed last (running: %v)", e.Attempt, s.attempt, s.running)
	}

	// Such an attempt was claimed and returned, so it counts as no execution for I5.
	if strings.HasPrefix(e.Reason, "not begun") {
		s.executions--
	}

	s.running = false
}

// end checks what can only be said of the whole.
func (c *checker) end() {
	c.now = Event{}
	tally := make(map[string]int)
	for _, s := range c.stages {
		if tally[s.outcome]++; s.outcome == "" && c.finished != nil {
			c.fail("I1", "%s has no outcome", s.Name)
		}

		// Each fault may cost an execution of any stage, and each failure is followed by a retry.
		if most := 1 + c.Faults + s.failures; s.executions > most {
			c.fail("I5", "%s was executed %d times; there were %d faults and %d failures", s.Name, s.executions, c.Faults, s.failures)
		}
	}

	if c.finished == nil {
		c.fail("I3", "the run has not ended: %d stages have no outcome", tally[""])
		return
	}

	if took := c.finished.Time.Sub(c.Events[0].Time); c.Bound > 0 && took > c.Bound {
		c.fail("I3", "it took %s, more than %s", took, c.Bound)
	}

	c.compare(tally)
}

func (c *checker) compare(tally map[string]int) {
	state := "succeeded"
	switch {
	case tally["cancelled"] > 0:
		state = "cancelled"
	case tally["failed"] > 0:
		state = "failed"
	}

	if c.finished.State != state || c.State != "" && c.State != state {
		c.fail("I8", "the events make it %s; the last one says %q, and status %q", state, c.finished.State, c.State)
	}

	for _, outcome := range []string{"succeeded", "failed", "skipped", "cancelled"} {
		if n := tally[outcome]; c.finished.Counts[outcome] != n || c.Reported != nil && c.Reported[outcome] != n {
			c.fail("I8", "%d stages have %s; the last event says %d, and status %d", n, outcome, c.finished.Counts[outcome], c.Reported[outcome])
		}
	}
}
