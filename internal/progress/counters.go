package progress

import (
	"fmt"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// counters is what a display knows of a run between two entries. The run itself may be read only
// while an entry is observed. Times are by the clock of Redis.
type counters struct {
	graph     *dag.Graph       // nil before the first entry
	past      journal.Position // entries up to this one are only summed up
	submitted time.Time

	// lag is the least time from an entry's time to its arrival. It is about the difference of the
	// two clocks.
	lag time.Duration

	state      [dag.Cancelled + 1]int // the number of stages in each state
	stages     int                    // the total of these
	retried    int                    // attempts that failed and were retried, or were lost
	cancelling bool
	running    map[dag.StageID]attempt
	worker     string // the worker of the first attempt
	several    bool   // more than one worker was seen
	rate       rate
	folds      folds
}

// attempt is a running attempt.
type attempt struct {
	stage  dag.StageID
	name   string
	number dag.Attempt
	worker string
	since  time.Time
	folded *folded // the stage whose instances are shown as one; nil if the attempt has a row
}

// observe updates the counters from an entry. It reports whether the entry is the first.
func (t *counters) observe(run *runstate.Run, e journal.Entry, now time.Time) (first bool) {
	if first = t.graph == nil; first {
		t.graph = run.Spec.Graph
		t.submitted = e.Time
		t.running = make(map[dag.StageID]attempt)
		t.lag = now.Sub(e.Time)
	}

	// Entries that were read late, such as those of a resumed run, have a longer lag.
	t.lag = min(t.lag, now.Sub(e.Time))
	t.folds.count(run, e, t.running)
	for _, r := range e.Records {
		switch r.Type {
		case journal.StageStarted:
			t.running[r.Stage] = attempt{r.Stage, run.Name(r.Stage), r.Attempt, e.Worker, e.Time, t.folds.of(run, r.Stage)}
		case journal.RunSubmitted, journal.RunCancelling, journal.RunFinished, journal.RunReopened:
		default:
			delete(t.running, r.Stage)
		}
	}

	if t.worker == "" {
		t.worker = e.Worker
	}

	t.several = t.several || e.Worker != "" && e.Worker != t.worker
	// Copied, because the block is drawn by another goroutine than the one that owns the run.
	for s := range t.state {
		t.state[s] = run.DAG.Count(dag.State(s))
	}

	t.stages = run.DAG.Total()
	t.retried = run.Lost + run.Retried
	t.cancelling = run.DAG.Cancelling()
	return first
}

// isPast reports whether an entry is only summed up, and whether it is the last of these.
func (t *counters) isPast(e journal.Entry) (past, last bool) {
	return t.past != "" && !e.ID.After(t.past), e.ID == t.past
}

// clock returns the time by the clock of Redis, about.
func (t *counters) clock(now time.Time) time.Time { return now.Add(-t.lag) }

// elapsed returns the time since the run was submitted.
func (t *counters) elapsed(now time.Time) time.Duration {
	if t.graph == nil {
		return 0
	}
	return max(0, t.clock(now).Sub(t.submitted))
}

func (t *counters) total() int { return t.stages }

// executed is the number of stages that succeeded or failed. ended is the number of all finished
// stages.
func (t *counters) executed() int { return t.state[dag.Succeeded] + t.state[dag.Failed] }
func (t *counters) ended() int    { return t.executed() + t.state[dag.Skipped] + t.state[dag.Cancelled] }

// span is a piece of text of one style.
type span struct {
	style style
	text  string
}

// done is how many stages are finished, such as "[ 37/120]".
func (t *counters) done() string {
	total := commas(t.total())
	return fmt.Sprintf("[%*s/%s]", len(total), commas(t.ended()), total)
}

// counts are spans such as "3 failed".
type counts []span

// add adds a number, unless it is 0.
func (c *counts) add(s style, n int, word string) {
	if n > 0 {
		*c = append(*c, span{s, commas(n) + " " + word})
	}
}

// counts returns the state of the run, most important first.
func (t *counters) counts(now time.Time) (c counts) {
	if t.cancelling {
		c = append(c, span{magenta, "cancelling"})
	}

	c = append(c, span{cyan, commas(len(t.running)) + " running"})
	t.problems(&c)
	c = append(c, span{none, formatRough(t.elapsed(now))})
	// A run that is being cancelled finishes as soon as its running stages have stopped.
	if left, ok := t.rate.left(now, t.executed(), t.total()-t.ended()); ok && !t.cancelling {
		c = append(c, span{dim, "eta ~" + formatRough(left)})
	}
	return c
}

// problems adds the stages that did not succeed at once.
func (t *counters) problems(c *counts) {
	c.add(boldRed, t.state[dag.Failed], "failed")
	c.add(yellow, t.retried, "retried")
	c.add(none, t.state[dag.Skipped], "skipped")
	c.add(magenta, t.state[dag.Cancelled], "cancelled")
}

// soFar returns the state of the run at the time when it was resumed.
func (t *counters) soFar() (c counts) {
	c.add(green, t.state[dag.Succeeded], "succeeded")
	c.add(cyan, len(t.running), "running")
	t.problems(&c)
	c.add(none, t.total()-t.ended()-len(t.running), "to come")
	return c
}

// reopens says how many stages a reopened run executes again.
func (t *counters) reopens() string {
	return plural(t.total()-t.ended(), "stage") + " to be executed again"
}

// cancels returns the reason of a cancellation, and how many running stages it stops.
func (t *counters) cancels(r journal.Record) string {
	text := clean(firstLine(r.Text))
	if n := len(t.running); n > 0 {
		text = joinRemarks(text, plural(n, "running stage")+" asked to stop")
	}
	return text
}

// rate is the recent speed of the run: stages executed since base. The first base is the first
// draw, so stages that finished before a resume do not count.
type rate struct{ base, next sample }

type sample struct {
	at       time.Time
	executed int
}

// How much must have been seen before an estimate is made, and before the first half of what was
// seen is forgotten.
const (
	leastStages, leastTime = 3, 2 * time.Second
	rateStages, rateTime   = 20, 30 * time.Second
)

func (p *rate) update(now time.Time, executed int) {
	current := sample{now, executed}
	switch {
	case p.base.at.IsZero():
		p.base = current
		p.next = current
	// The window is between one and two periods long, so the estimate does not jump.
	case now.Sub(p.next.at) >= rateTime && executed-p.next.executed >= rateStages:
		p.base = p.next
		p.next = current
	}
}

// left estimates the time until the given number of further stages have ended.
func (p *rate) left(now time.Time, executed, further int) (time.Duration, bool) {
	n := executed - p.base.executed
	d := now.Sub(p.base.at)
	if n < leastStages || d < leastTime || further == 0 {
		return 0, false
	}

	left := time.Duration(float64(d) / float64(n) * float64(further))
	// Rounded to what an estimate can know: exact digits would change with every draw.
	switch {
	case left < 10*time.Second:
		return max(time.Second, left.Round(time.Second)), true
	case left < time.Minute:
		return left.Round(5 * time.Second), true
	case left < 10*time.Minute:
		return left.Round(10 * time.Second), true
	}

	return left.Round(time.Minute), true
}
