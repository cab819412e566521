package faulttest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/faulttest"
)

// story makes events of lines "type stage#attempt worker", one second after the other; "="
// introduces a reason, cause or state.
func story(text string) (events []faulttest.Event) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		head, rest, _ := strings.Cut(strings.TrimSpace(line), "=")
		words := append(strings.Fields(head), "", "")
		e := faulttest.Event{Seq: len(events) + 1, Time: time.Unix(int64(len(events)), 0), Type: "stage." + words[0], Worker: words[2]}
		e.Reason, e.Cause = rest, rest
		if name, attempt, ok := strings.Cut(words[1], "#"); ok {
			e.Stage = name
			fmt.Sscan(attempt, &e.Attempt)
		}
		if words[0] == "submitted" || words[0] == "cancelling" || words[0] == "finished" {
			e.Type, e.State = "run."+words[0], rest
		}
		events = append(events, e)
	}
	return events
}

// trial is of "b after a", with the numbers of outcomes that the last event and the status report.
func trial(text string, counts map[string]int) faulttest.Trial {
	t := faulttest.Trial{Stages: []faulttest.Stage{{Name: "a"}, {Name: "b", After: []string{"a"}}}, Events: story(text), Bound: time.Minute, Reported: counts}
	last := &t.Events[len(t.Events)-1]
	last.Counts, t.State = counts, last.State
	return t
}

var two = map[string]int{"succeeded": 2}

const good = `
	submitted
	started a#1 w
	succeeded a#1 w
	started b#1 w
	succeeded b#1 w
	finished =succeeded`

func TestWhatKeepsThePromiseIsAccepted(t *testing.T) {
	for name, c := range map[string]faulttest.Trial{
		"no fault": trial(good, two),
		"skipped": trial(`
			submitted
			started a#1 w
			failed a#1 w
			skipped b#0 =a
			finished =failed`, map[string]int{"failed": 1, "skipped": 1}),
		"handed back unbegun": trial(`
			submitted
			started a#1 w
			lost a#1 w =not begun: it was behind a stage that takes long
			started a#2 v
			succeeded a#2 v
			started b#1 w
			succeeded b#1 w
			finished =succeeded`, two),
		"cancelled": trial(`
			submitted
			started a#1 w
			cancelling
			cancelled b#0
			cancelled a#1
			finished =cancelled`, map[string]int{"cancelled": 2}),
	} {
		if errs := faulttest.Check(c); len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestAFaultExplainsOneMoreExecution(t *testing.T) {
	c := trial(`
		submitted
		started a#1 w
		lost a#1 =its worker died
		started a#2 v
		succeeded a#2 v
		started b#1 w
		succeeded b#1 w
		finished =succeeded`, two)
	if c.Faults = 1; len(faulttest.Check(c)) > 0 {
		t.Error(faulttest.Check(c))
	}
	c.Faults = 0
	expect(t, c, "I5: a was executed 2 times")
}

func TestRetriesExplainFurtherExecutions(t *testing.T) {
	c := trial(`
		submitted
		started a#1 w
		retrying a#1 w
		started a#2 w
		succeeded a#2 w
		started b#1 w
		succeeded b#1 w
		finished =succeeded`, two)
	if c.Stages[0].Retries = 1; len(faulttest.Check(c)) > 0 {
		t.Error(faulttest.Check(c))
	}
	c.Stages[0].Retries = 0
	expect(t, c, "I1: event 3 (stage.retrying a#1): it has failed 1 times, and is tried again")
	c.Stages[0].Retries = 1
	c.Events[2].Next = c.Events[3].Time.Add(time.Second)
	expect(t, c, "I2: event 4 (stage.started a#2): it is tried again 1s too early")
}

func TestInstancesComeBeforeTheStageThatGathersThem(t *testing.T) {
	c := trial(`
		submitted
		started a#1 w
		succeeded a#1 w
		started b[0]#1 w
		started b[1]#1 w
		succeeded b[1]#1 w
		succeeded b[0]#1 w
		started b#1 w
		succeeded b#1 w
		finished =succeeded`, map[string]int{"succeeded": 4})
	if c.Stages[1].ForEach = true; len(faulttest.Check(c)) > 0 {
		t.Error(faulttest.Check(c))
	}
	c.Events[6], c.Events[7] = c.Events[7], c.Events[6]
	c.Events[6].Seq, c.Events[7].Seq = 7, 8
	expect(t, c, "I2: event 7 (stage.started b#1): 2 of 3 dependencies have succeeded")
	c.Stages[1].ForEach = false
	expect(t, c, "I8: event 4 (stage.started b[0]#1): the pipeline has no such stage")
}

func TestTriggersDecideWhatMayRun(t *testing.T) {
	failed := `
		submitted
		started a#1 w
		failed a#1 w
		started b#1 w
		succeeded b#1 w
		finished =failed`
	early := strings.Replace(failed, "failed a#1 w", "lost a#1 w", 1)
	for trigger, allowed := range map[string]bool{"": false, "all_success": false, "any_success": false, "all_done": true, "any_failed": true} {
		c := trial(failed, map[string]int{"failed": 1, "succeeded": 1})
		if c.Stages[1].Trigger = trigger; len(faulttest.Check(c)) == 0 != allowed {
			t.Errorf("%q: %v", trigger, faulttest.Check(c))
		}
		c.Events = story(early)
		expect(t, c, "I2: event 4")
	}
}

// Each is a stream that a program with a bug might write: edit is applied to the good story.
func TestWhatBreaksThePromiseIsRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"succeeded b#1 w\n", "succeeded b#1 w\n succeeded b#1 w\n", "I1: event 6 (stage.succeeded b#1): it has succeeded already"},
		{"started b#1 w\n", "started a#2 w\n started b#1 w\n", "I1: event 4 (stage.started a#2): it is claimed although it has succeeded"},
		{"started b#1 w\n\tsucceeded b#1 w\n", "", "I1: b has no outcome"},
		{"started b#1 w\n", "cancelled b#0 \n started b#1 w\n", "I1: event 4 (stage.cancelled b#0): the run was cancelled without a request"},
		{"succeeded b#1 w\n", "succeeded b#1 w\n finished =succeeded\n", "I1: event 7 (run.finished): the run was finished before"},
		{"started a#1 w\n", "started b#1 w\n lost b#1 w\n started a#1 w\n", "I2: event 2 (stage.started b#1): 0 of 1 dependencies have succeeded"},
		{"started b#1 w\n", "cancelling \n started b#1 w\n", "I2: event 5 (stage.started b#1): the run is being cancelled"},
		{"finished =succeeded", "", "I3: the run has not ended"},
		{"succeeded a#1 w\n", "started a#2 v\n succeeded a#2 v\n", "I4: event 3 (stage.started a#2): it is claimed while attempt 1 runs"},
		{"succeeded a#1 w\n", "lost a#1 \n started a#3 v\n succeeded a#3 v\n", "I4: event 4 (stage.started a#3): attempt 3 is claimed after attempt 1"},
		{"succeeded a#1 w\n", "lost a#1 \n started a#2 v\n succeeded a#1 w\n", "I4: event 5 (stage.succeeded a#1): w reports attempt 1, and v has attempt 2"},
		{"succeeded a#1 w\n", "lost a#1 \n succeeded a#1 w\n", "I4: event 4 (stage.succeeded a#1): attempt 1 is not running"},
		{"succeeded a#1 w\n", "succeeded a#1 v\n", "I4: event 3 (stage.succeeded a#1): v reports attempt 1, and w has attempt 1"},
		{"succeeded a#1 w\n", "lost a#1 \n started a#2 v\n succeeded a#2 v\n", "I5: a was executed 2 times; there were 0 faults"},
		{"finished =succeeded", "finished =failed", "I8: the events make it succeeded; the last one says \"failed\""},
		{"started b#1 w\n", "started c#1 w\n started b#1 w\n", "I8: event 4 (stage.started c#1): the pipeline has no such stage"},
		{"started b#1 w\n", "danced b#1 w\n started b#1 w\n", "I8: event 4 (stage.danced b#1): there is no such event"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q is not in the story", c.old)
		}
		expect(t, trial(text, two), c.want)
	}
}

func TestWhatIsOnlySeenFromOutsideIsRefused(t *testing.T) {
	c := trial(good, two)
	c.Bound = 4 * time.Second
	expect(t, c, "I3: it took 5s, more than 4s")
	c = trial(good, two)
	c.State = "failed"
	expect(t, c, `I8: the events make it succeeded; the last one says "succeeded", and status "failed"`)
	c = trial(good, two)
	c.Reported = map[string]int{"succeeded": 1}
	expect(t, c, "I8: 2 stages have succeeded; the last event says 2, and status 1")
	c = trial(good, two)
	c.Events[3].Seq = 9
	expect(t, c, "I8: event 9 (stage.started b#1): it should have number 4")
}

func expect(t *testing.T, c faulttest.Trial, want string) {
	t.Helper()
	for _, err := range faulttest.Check(c) {
		if strings.HasPrefix(err.Error(), want) {
			return
		}
	}
	t.Errorf("found %v, want %q", faulttest.Check(c), want)
}

func TestWhatEventsPrintsIsRead(t *testing.T) {
	events, err := faulttest.Parse(`{"seq":1,"type":"run.submitted"}
{"type":"message","text":"hello"}
{"seq":2,"time":"2026-01-02T03:04:05.678Z","type":"stage.started","stage":"a","attempt":2,"worker":"w"}
`)
	want := faulttest.Event{Seq: 2, Time: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), Type: "stage.started", Stage: "a", Attempt: 2, Worker: "w"}
	if err != nil || len(events) != 2 || fmt.Sprint(events[1]) != fmt.Sprint(want) {
		t.Errorf("%v, %v", events, err)
	}
	if _, err := faulttest.Parse("{\n"); err == nil {
		t.Error("nonsense was read")
	}
}
