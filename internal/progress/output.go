package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// LogMode says what is shown of the output of running stages.
type LogMode string

// The choices.
const (
	// LogsAuto is LogsTail on a terminal, and LogsPrefixed as lines of text if the run has at most
	// fewStages stages. Otherwise it is LogsNone.
	LogsAuto     LogMode = "auto"
	LogsNone     LogMode = "none"
	LogsTail     LogMode = "tail"     // the last line of each running stage, on a terminal
	LogsPrefixed LogMode = "prefixed" // each line, after the name of its stage
)

// LogModes lists all choices.
var LogModes = []LogMode{LogsAuto, LogsNone, LogsTail, LogsPrefixed}

// ParseLogMode returns the choice with the given name. The error suggests the nearest one.
func ParseLogMode(name string) (LogMode, error) { return parse("choice of logs", name, LogModes) }

// fewStages is the size of the largest run whose output is shown unless something else is asked
// for: the output of more stages hides what the run does.
const fewStages = 50

// outputs is how the output of stages is shown.
type outputs struct {
	mode  LogMode
	known bool // whether lines are shown, which depends on the size of the run
	lines bool
	group *grouping // nil: lines are shown as they come

	held []heldEntry
}

// heldEntry is the text of a journal entry that waits for the output of the attempts that ended
// with it. Otherwise a stage would be said to have succeeded before its last lines.
type heldEntry struct {
	text    []byte
	waiting []journal.AttemptID
	since   time.Time
}

// holdAtMost is how long the text of an entry waits for output: Redis may be unreachable.
const holdAtMost = 2 * time.Second

// observe decides whether lines are shown.
func (o *outputs) observe(run *runstate.Run, d display) {
	if o.known {
		// A fan-out may make a small pipeline a large run.
		if o.mode != LogsPrefixed && run.DAG.Total() > fewStages {
			o.lines = false
		}
		return
	}

	o.known = true
	_, isPlain := d.(*plain)
	switch o.mode {
	case LogsPrefixed:
		o.lines = true
	case LogsAuto, "":
		o.lines = isPlain && run.Spec.Graph.Len() <= fewStages
	}
}

// withoutNotes returns an entry whose successes have no last line of output: it was shown a moment
// ago. That of a failure stays, since lines of other stages may have come in between.
func withoutNotes(e journal.Entry) journal.Entry {
	e.Records = slices.Clone(e.Records)
	for i := range e.Records {
		if e.Records[i].Type == journal.StageSucceeded {
			e.Records[i].Note = ""
		}
	}
	return e
}

// add appends the text of an entry to buf, or holds it.
func (o *outputs) add(buf, text []byte, e journal.Entry, now time.Time) []byte {
	var waiting []journal.AttemptID
	for _, r := range e.Records {
		if r.Attempt > 0 && r.Type != journal.StageStarted {
			waiting = append(waiting, journal.AttemptID{Stage: r.Stage, Attempt: r.Attempt})
		}
	}

	if len(waiting) == 0 && len(o.held) == 0 {
		return append(buf, text...)
	}
	o.held = append(o.held, heldEntry{text, waiting, now})
	return buf
}

// ended says that the output of an attempt is complete.
func (o *outputs) ended(buf []byte, a journal.AttemptID) []byte {
	for i := range o.held {
		h := &o.held[i]
		h.waiting = slices.DeleteFunc(h.waiting, func(b journal.AttemptID) bool { return a == b })
	}
	return o.release(buf, func(h heldEntry) bool { return len(h.waiting) == 0 })
}

// release appends the first held entries for as long as they are ready: entries stay in order.
func (o *outputs) release(buf []byte, ready func(heldEntry) bool) []byte {
	for len(o.held) > 0 && ready(o.held[0]) {
		buf = append(buf, o.held[0].text...)
		o.held = o.held[1:]
	}
	return buf
}

// ShowsOutput reports whether the output of stages is to be given to [Printer.Output]. It is known
// once the first entry was observed.
func (p *Printer) ShowsOutput() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.display != nil && p.outputs.lines
}

// Groups reports whether the output of each attempt is one group, and so shown once it is complete.
func (p *Printer) Groups() bool { return p.outputs.group != nil }

// Output shows lines that an attempt of a stage has printed.
func (p *Printer) Output(a journal.AttemptID, name string, lines [][]byte, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.display == nil {
		return
	}

	now := time.Now()
	grouped := p.outputs.group != nil && len(lines) > 0
	if grouped {
		p.buf = p.outputs.group.open(p.buf, clean(name), now)
	}

	for _, line := range lines {
		text := clean(strings.TrimRight(term.Visible(string(line)), " \t\r"))
		p.buf = p.display.say(p.buf, message{kind: stageOutput, stage: name, attempt: a.Attempt, text: text}, now)
	}

	if grouped {
		p.buf = p.outputs.group.close(p.buf, clean(name), now)
	}
	if ended {
		p.buf = p.outputs.ended(p.buf, a)
	}
}

// grouping is how a continuous integration service folds lines.
type grouping struct {
	begin, end func(name string, at time.Time) string
}

func (g *grouping) open(buf []byte, name string, at time.Time) []byte {
	return append(buf, g.begin(name, at)...)
}
func (g *grouping) close(buf []byte, name string, at time.Time) []byte {
	return append(buf, g.end(name, at)...)
}

// groupingOf returns how the service folds that this process runs in; nil if it runs in none that
// is known. The lines keep the name of their stage in front: without it, a stage could print
// commands for the service.
func groupingOf(env func(string) (string, bool)) *grouping {
	is := func(name string) bool {
		v, _ := env(name)
		return strings.EqualFold(v, "true")
	}
	fixed := func(begin, end string) *grouping {
		return &grouping{
			func(name string, _ time.Time) string { return begin + name + "\n" },
			func(string, time.Time) string { return end },
		}
	}

	switch {
	case is("GITHUB_ACTIONS"):
		return fixed("::group::", "::endgroup::\n")
	case is("TF_BUILD"):
		return fixed("##[group]", "##[endgroup]\n")
	case is("BUILDKITE"):
		return fixed("--- ", "")
	case is("GITLAB_CI"):
		return &grouping{
			func(name string, at time.Time) string {
				return fmt.Sprintf("\x1b[0Ksection_start:%d:%s[collapsed=true]\r\x1b[0K%s\n", at.Unix(), section(name), name)
			},
			func(name string, at time.Time) string {
				return fmt.Sprintf("\x1b[0Ksection_end:%d:%s\r\x1b[0K", at.Unix(), section(name))
			},
		}
	}

	return nil
}

// section makes a name that GitLab accepts for a section.
func section(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)
}
