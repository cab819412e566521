package progress

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/view"
)

// SummaryConfig says what a summary tells besides what the run itself knows. All of it may be left out.
type SummaryConfig struct {
	Color   bool                                    // see [Color.Enabled]
	Log     func(journal.Attempted) ([]byte, error) // returns what an attempt printed
	Outputs map[string]json.RawMessage              // by stage; see [view.Run.Outputs]
	Next    []Hint                                  // what to do next, such as the command that resumes the run
}

// Hint is a command and what it is for.
type Hint struct{ What, Command string }

// What a summary shows at the most.
const (
	summaryFailures = 10
	summaryLines    = 10 // of the end of a log
	summaryRoots    = 5  // stages because of which others were skipped
	summaryNames    = 3  // of the stages that were skipped because of one
	summaryResults  = 10
	summaryPath     = 3   // stages of the critical path
	summaryCells    = 200 // of a result or a line of a log
)

// Summary writes what became of a run: what its last stages returned or printed, why stages failed and others were skipped, where the
// time went, the counts, and what to do next. The error is that of w.
func Summary(w io.Writer, run *view.Run, cfg SummaryConfig) error {
	s := summary{SummaryConfig: cfg, run: run}
	s.results()
	s.failures()
	s.skips()
	s.path()
	s.verdict()
	s.hints()
	_, err := w.Write(s.buf)
	return err
}

type summary struct {
	SummaryConfig
	run *view.Run
	buf []byte
}

func (s *summary) name(id dag.StageID) string { return clean(s.run.Spec.Graph.Name(id)) }

// line adds a line of text in several styles.
func (s *summary) line(spans ...span) {
	r := row{buf: s.buf, left: math.MaxInt, color: s.Color}
	for _, p := range spans {
		r.put(p.style, p.text)
	}
	s.buf = append(r.buf, '\n')
}

// section begins a part of the summary, with an empty line before it.
func (s *summary) section(title string, spans ...span) {
	s.line()
	s.line(append([]span{{bold, title}}, spans...)...)
}

func (s *summary) more(n int, what string) {
	if n > 0 {
		s.line(span{dim, "  ... and " + commas(n) + " more" + what})
	}
}

// results shows what the stages returned that nothing depends on, or else printed last.
func (s *summary) results() {
	type result struct{ name, text string }
	var list []result
	more, width := 0, 0
	for id := range s.run.Spec.Graph.Sinks() {
		text := clean(s.run.Notes[id])
		if out, ok := s.Outputs[s.run.Spec.Graph.Name(id)]; ok {
			text = value(out)
		}
		switch {
		case text == "" || s.run.State.State(id) != dag.Succeeded:
		case len(list) == summaryResults:
			more++
		default:
			list = append(list, result{s.name(id), text})
			width = max(width, cells(s.name(id)))
		}
	}
	if len(list) == 0 {
		return
	}
	s.section("results")
	for _, r := range list {
		s.line(span{none, "  " + r.name + strings.Repeat(" ", width-cells(r.name)+2)}, span{green, r.text})
	}
	s.more(more, "")
}

// value shows an output: text without its quotes, everything else as JSON in a line.
func value(out json.RawMessage) string {
	var text string
	if json.Unmarshal(out, &text) != nil {
		var b bytes.Buffer
		if text = string(out); json.Compact(&b, out) == nil {
			text = b.String()
		}
	}
	return cut(clean(text), summaryCells)
}

func (s *summary) failures() {
	list := s.run.Failures
	for _, f := range list[:min(len(list), summaryFailures)] {
		s.failure(f)
	}
	if more := len(list) - summaryFailures; more > 0 {
		s.line()
		s.more(more, " failed")
	}
}

func (s *summary) failure(f view.Failure) {
	where := ""
	if f.Attempt > 1 {
		where = fmt.Sprintf("attempt %d", f.Attempt)
	}
	if d := s.run.Duration(f.Stage); d > 0 {
		where = joined(where, "after "+took(d))
	}
	if f.Worker != "" {
		where = joined(where, "on "+clean(f.Worker))
	}
	s.line()
	s.line(span{loud, "✗ " + s.name(f.Stage) + " failed"}, span{dim, "  " + where})
	for line := range strings.SplitSeq(strings.TrimRight(f.Text, "\n"), "\n") {
		s.line(span{none, "  " + clean(line)})
	}
	s.log(f)
}

// log shows the end of what a failed attempt printed.
func (s *summary) log(f view.Failure) {
	if s.Log == nil {
		return
	}
	log, err := s.Log(journal.Attempted{Stage: f.Stage, Attempt: f.Attempt})
	if err != nil {
		s.line(span{yellow, "  its log cannot be read: " + clean(err.Error())})
		return
	}
	log = bytes.TrimRight(log, "\r\n\t ")
	if len(log) == 0 {
		return
	}
	lines := strings.Split(string(log), "\n")
	if more := len(lines) - summaryLines; more > 0 {
		s.line(span{dim, "  │ ... " + plural(more, "line") + " before"})
		lines = lines[more:]
	}
	for _, line := range lines {
		s.line(span{dim, "  │ "}, span{none, cut(clean(strings.TrimRight(line, "\r")), summaryCells)})
	}
}

// skips says which stages were skipped because of which.
func (s *summary) skips() {
	count, names := make(map[dag.StageID]int), make(map[dag.StageID][]string)
	var roots []dag.StageID
	for id := range dag.StageID(s.run.Spec.Graph.Len()) {
		if s.run.State.State(id) != dag.Skipped {
			continue
		}
		root := s.run.State.Root(id)
		if count[root]++; count[root] == 1 {
			roots = append(roots, root)
		}
		if count[root] <= summaryNames {
			names[root] = append(names[root], s.name(id))
		}
	}
	if len(roots) == 0 {
		return
	}
	s.section("skipped")
	slices.SortStableFunc(roots, func(a, b dag.StageID) int { return cmp.Compare(count[b], count[a]) })
	for _, root := range roots[:min(len(roots), summaryRoots)] {
		list := strings.Join(names[root], ", ")
		if more := count[root] - summaryNames; more > 0 {
			list += ", +" + commas(more) + " more"
		}
		s.line(span{none, "  " + list}, span{dim, "  because " + s.name(root) + " " + was(s.run, root)})
	}
	s.more(len(roots)-summaryRoots, " stages made others be skipped")
}

// path shows the stages that took the longest of the chain that took the longest.
func (s *summary) path() {
	path, sum := s.run.CriticalPath()
	if sum == 0 || len(path) < 2 {
		return
	}
	path = slices.DeleteFunc(path, func(id dag.StageID) bool { return s.run.Duration(id) == 0 })
	length := len(path)
	slices.SortStableFunc(path, func(a, b dag.StageID) int { return cmp.Compare(s.run.Duration(b), s.run.Duration(a)) })
	path = path[:min(len(path), summaryPath)]
	width := 0
	for _, id := range path {
		width = max(width, cells(s.name(id)))
	}
	s.section("critical path", span{dim, fmt.Sprintf("  %s, %s", plural(length, "stage"), took(sum))})
	for _, id := range path {
		d := s.run.Duration(id)
		name := s.name(id)
		s.line(span{none, "  " + name + strings.Repeat(" ", width-cells(name))}, span{none, fmt.Sprintf("  %7s", took(d))},
			span{dim, fmt.Sprintf("  %3.0f%%", 100*float64(d)/float64(sum))})
	}
}

// verdict says in a line how the run ended.
func (s *summary) verdict() {
	l := looks[journal.StageLost]
	l.mark, l.word = "!", "has not ended"
	if s.run.State.Finished() {
		switch s.run.State.Outcome() {
		case dag.Succeeded:
			l = looks[journal.StageSucceeded]
		case dag.Failed:
			l = looks[journal.StageFailed]
		case dag.Cancelled:
			l = looks[journal.StageCancelled]
			l.word = "was cancelled"
		}
	}
	spans := []span{{l.style, l.mark + " " + clean(s.run.Spec.Name) + " " + l.word}, {bold, " after " + took(s.elapsed())}, {dim, ":"}}
	s.line()
	r := row{buf: s.buf, left: math.MaxInt, color: s.Color}
	for _, p := range spans {
		r.put(p.style, p.text)
	}
	r.list(s.counts())
	s.buf = append(r.buf, '\n')
}

func (s *summary) elapsed() time.Duration { return s.run.Elapsed(s.run.Last) }

func (s *summary) counts() []span {
	var spans []span
	add := func(style style, n int, word string) {
		if n > 0 {
			spans = append(spans, span{style, commas(n) + " " + word})
		}
	}
	state := s.run.State
	add(green, state.Count(dag.Succeeded), "succeeded")
	add(cyan, state.Count(dag.Running), "running")
	add(loud, state.Count(dag.Failed), "failed")
	add(yellow, s.run.Lost, "retried")
	add(none, state.Count(dag.Skipped), "skipped")
	add(magenta, state.Count(dag.Cancelled), "cancelled")
	add(none, state.Count(dag.Waiting)+state.Count(dag.Ready), "not started")
	return spans
}

func (s *summary) hints() {
	width := 0
	for _, h := range s.Next {
		width = max(width, cells(h.What))
	}
	for _, h := range s.Next {
		s.line(span{dim, "  " + h.What + ":" + strings.Repeat(" ", width-cells(h.What)+1)}, span{bold, h.Command})
	}
}
