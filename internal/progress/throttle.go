package progress

import (
	"time"

	"github.com/godags/godags/internal/journal"
)

// throttle holds back the lines of routine events when there are more in a second than a person can
// read: first those beyond the limit, and then all of them until there are fewer again. It always
// holds back the stages that a cancelled run does not come to.
type throttle struct {
	since  time.Time // when this second began
	events int       // routine ones in it
	dense  bool      // there were too many in the last
	hidden [len(looks)]int
}

const crowdLimit = 200 // routine events in a second that are shown

// hides counts a routine event, and reports whether its line is held back.
func (c *throttle) hides(r journal.Record) bool {
	c.events++
	unexecuted := r.Type == journal.StageCancelled && r.Attempt == 0
	if !c.dense && c.events <= crowdLimit && !unexecuted {
		return false
	}
	c.hidden[r.Type]++
	return true
}

// turn begins another second if it is time.
func (t *tty) turn(now time.Time) {
	if now.Sub(t.crowd.since) < time.Second {
		return
	}

	dense := t.crowd.events > crowdLimit
	if !dense {
		t.admit()
	}

	t.crowd.since = now
	t.crowd.events = 0
	t.crowd.dense = dense
}

// admit adds a line that says what was held back.
func (t *tty) admit() {
	text := "..."
	for kind, n := range t.crowd.hidden {
		if n == 0 {
			continue
		}
		if text != "..." {
			text += ","
		}
		text += " " + commas(n) + " more " + looks[kind].word
	}

	t.crowd.hidden = [len(looks)]int{}
	if text != "..." {
		t.line(none, "", func(r *line) { r.put(dim, "  "+text) })
	}
}
