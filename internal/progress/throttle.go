package progress

import (
	"time"

	"github.com/godags/godags/internal/journal"
)

// throttle holds back the lines of routine events when there are more in a second than a person can
// read: first those beyond the limit, and then all of them until there are fewer again. It always
// holds back the stages that a cancelled run does not come to.
type throttle struct {
	since      time.Time // when this second began
	events     int       // routine ones in it
	overloaded bool      // there were too many in the last
	hidden     [len(statusStyles)]int
}

const shownPerSecond = 200 // routine events in a second that are shown

// hide counts a routine event, and reports whether its line is held back.
func (c *throttle) hide(r journal.Record) bool {
	c.events++
	unexecuted := r.Type == journal.StageCancelled && r.Attempt == 0
	if !c.overloaded && c.events <= shownPerSecond && !unexecuted {
		return false
	}
	c.hidden[r.Type]++
	return true
}

// nextSecond begins another second if it is time.
func (t *tty) nextSecond(now time.Time) {
	if now.Sub(t.throttle.since) < time.Second {
		return
	}

	dense := t.throttle.events > shownPerSecond
	if !dense {
		t.showHidden()
	}

	t.throttle.since = now
	t.throttle.events = 0
	t.throttle.overloaded = dense
}

// showHidden adds a line that says what was held back.
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
