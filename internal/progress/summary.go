package progress

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// SummaryConfig is what a summary shows besides the run itself. Every field is optional.
type SummaryConfig struct {
	Color   bool                                    // see [Color.Enabled]
	Log     func(journal.AttemptID) ([]byte, error) // returns what an attempt printed
	Outputs map[string]json.RawMessage              // by stage; see [runstate.Run.Outputs]
	Next    []Hint                                  // what to do next, such as to resume the run

	// Now is the time up to which an active run has lasted. Zero: the time of its last entry.
	Now time.Time

	// Width is that of the terminal, at which lines of logs are wrapped. 0: they are not wrapped.
	Width int
}

// Hint is a command and what it is for.
type Hint struct{ What, Command string }

// Summary writes the result of a run: outputs, failures, skipped stages, the critical path, the
// counts, and what to do next. The error is that of w.
func Summary(w io.Writer, run *runstate.Run, cfg SummaryConfig) error {
	s := summary{SummaryConfig: cfg, run: run}
	s.results()
	s.failures()
	s.skips()
	s.path()
	// After the details, so that the outcome is the last thing on the screen, above the hints.
	s.verdict()
	s.hints()
	// Every section starts with an empty line, which the first one does not need.
	_, err := w.Write(bytes.TrimPrefix(s.buf, []byte("\n")))
	return err
}

type summary struct {
	SummaryConfig
	run *runstate.Run
	buf []byte
}

func (s *summary) name(id dag.StageID) string { return clean(s.run.Name(id)) }

func (s *summary) row(fill func(*line)) {
	r := line{buf: s.buf, left: math.MaxInt, color: s.Color}
	fill(&r)
	s.buf = append(r.buf, '\n')
}

// line adds a line of text in several styles.
func (s *summary) line(spans ...span) {
	s.row(func(r *line) {
		for _, p := range spans {
			r.put(p.style, p.text)
		}
	})
}

// section begins a part of the summary, with an empty line before it.
func (s *summary) section(title, about string) {
	s.line()
	s.line(span{bold, title}, span{dim, about})
}

// table adds a line for each name. What rest adds is aligned in a column.
func (s *summary) table(names []string, rest func(i int, r *line)) {
	width := 0
	for _, name := range names {
		width = max(width, term.Width(name))
	}

	for i, name := range names {
		s.row(func(r *line) {
			r.gap(2)
			r.column(none, name, width+2)
			rest(i, r)
		})
	}
}

func (s *summary) more(n int, what string) {
	if n > 0 {
		s.line(span{dim, "  ... and " + commas(n) + " more" + what})
	}
}

// verdict adds one line with the outcome of the run.
func (s *summary) verdict() {
	verdict := statusStyle{"!", yellow, "has not finished"}
	if s.run.DAG.Finished() {
		switch s.run.DAG.Outcome() {
		case dag.Succeeded:
			verdict = statusStyles[journal.StageSucceeded]
		case dag.Failed:
			verdict = statusStyles[journal.StageFailed]
		case dag.Cancelled:
			verdict = statusStyles[journal.StageCancelled]
			verdict.word = "was cancelled"
			// A run that exceeded its time limit was cancelled, but by no user.
			if s.run.TimeLimit > 0 {
				verdict.word = "timed out"
			}
		}
	}

	now := s.run.Last
	// The clock of Redis may be ahead: the duration must not end before the last entry.
	if s.Now.After(now) {
		now = s.Now
	}

	s.line()
	s.row(func(r *line) {
		r.put(verdict.style, verdict.mark+" "+clean(s.run.Spec.Name)+" "+verdict.word)
		r.put(bold, " after "+formatTook(s.run.Elapsed(now))+":")
		r.list(s.counts())
	})
}

func (s *summary) counts() (c counts) {
	state := s.run.DAG
	c.add(green, state.Count(dag.Succeeded), "succeeded")
	c.add(cyan, state.Count(dag.Running), "running")
	c.add(boldRed, state.Count(dag.Failed), "failed")
	c.add(yellow, s.run.Lost+s.run.Retried, "retried")
	c.add(none, state.Count(dag.Skipped), "skipped")
	c.add(magenta, state.Count(dag.Cancelled), "cancelled")
	c.add(yellow, state.Count(dag.Retrying), "to be retried")
	c.add(none, state.Count(dag.Waiting)+state.Count(dag.Ready), "not started")
	return c
}

func (s *summary) hints() {
	var what []string
	for _, h := range s.Next {
		what = append(what, h.What+":")
	}
	s.table(what, func(i int, r *line) { r.put(bold, s.Next[i].Command) })
}
