package progress

import (
	"time"

	"github.com/godags/godags/internal/journal"
)

// throttle hides the lines of routine events when there are more in a second than a person can
// read. In the first such second it hides those beyond the limit, and in the next ones all of them.
// It always hides stages that a cancelled run did not start.
type throttle struct {
	since      time.Time // when this second began
	events     int       // routine events in this second
	overloaded bool      // the last second had more than the limit
	hidden     [len(statusStyles)]int
}

const shownPerSecond = 200 // routine events

// hide counts a routine event, and reports whether its line is hidden.
func (c *throttle) hide(r journal.Record) bool {
	c.events++

	// A cancellation ends all waiting stages in one entry, and the summary counts them.
	unexecuted := r.Type == journal.StageCancelled && r.Attempt == 0
	if !c.overloaded && c.events <= shownPerSecond && !unexecuted {
		return false
	}
	c.hidden[r.Type]++
	return true
}

// nextSecond starts a new second of the throttle if the last one is over.
func (t *tty) nextSecond(now time.Time) {
	if now.Sub(t.throttle.since) < time.Second {
		return
	}

	overloaded := t.throttle.events > shownPerSecond

	// While events keep coming, one line for all of them is enough.
	if !overloaded {
		t.showHidden()
	}

	t.throttle.since = now
	t.throttle.events = 0
	t.throttle.overloaded = overloaded
}

// showHidden adds a line with the numbers of hidden events.
func (t *tty) showHidden() {
	text := "..."
	for kind, n := range t.throttle.hidden {
		if n == 0 {
			continue
		}
		if text != "..." {
			text += ","
		}
		text += " " + commas(n) + " more " + statusStyles[kind].word
	}

	t.throttle.hidden = [len(statusStyles)]int{}
	if text != "..." {
		t.line(none, "", func(r *line) { r.put(dim, "  "+text) })
	}
}
