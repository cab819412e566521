package progress

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// Limits of a summary.
const (
	mostResults  = 10
	mostFailures = 10
	mostDetailed = 4   // failures that are shown with their log
	mostLines    = 10  // lines of a log, from the last
	mostCells    = 200 // columns of a result, or of a line of a log
	mostReasons  = 5   // reasons of skipped stages
	mostNames    = 3   // stages that are named for each reason
	mostOfPath   = 3   // stages of the critical path

	shortestPath = 10 * time.Millisecond // a shorter critical path is not shown
)

// results shows the output of each stage without dependents, or else its last printed line.
func (s *summary) results() {
	var names, texts []string
	more := 0
	for id := range s.run.Spec.Graph.Leaves() {
		text := clean(s.run.Notes[id])
		if out, ok := s.Outputs[s.run.Name(id)]; ok {
			text = value(out)
		}

		switch {
		// A failed stage may have printed something, but has no result.
		case text == "" || s.run.DAG.State(id) != dag.Succeeded:
		case len(names) == mostResults:
			more++
		default:
			names = append(names, s.name(id))
			texts = append(texts, text)
		}
	}

	if len(names) == 0 {
		return
	}

	s.section("results", "")
	// Results of one line are aligned in a table. Longer ones follow, each below its name.
	var single, lines []string
	for i, text := range texts {
		if !strings.Contains(text, "\n") {
			single = append(single, names[i])
			lines = append(lines, text)
		}
	}

	s.table(single, func(i int, r *line) { r.put(green, lines[i]) })
	for i, text := range texts {
		if strings.Contains(text, "\n") {
			s.block(names[i], strings.Split(text, "\n"))
		}
	}

	s.more(more, "")
}

// block shows a text of several lines.
func (s *summary) block(name string, lines []string) {
	s.line(span{none, "  " + name})
	for _, line := range lines[:min(len(lines), mostLines)] {
		s.line(span{green, "    " + line})
	}
	s.more(max(0, len(lines)-mostLines), " lines")
}

// value formats an output: text without quotes, line by line, and anything else as JSON on one
// line.
func value(out json.RawMessage) string {
	var text string
	// Not a string. Compact, because the JSON of a value may be indented.
	if json.Unmarshal(out, &text) != nil {
		var b bytes.Buffer
		if text = string(out); json.Compact(&b, out) == nil {
			text = b.String()
		}
	}

	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = term.Truncate(clean(line), mostCells)
	}
	return strings.Join(lines, "\n")
}

func (s *summary) failures() {
	list := s.run.Failures
	detailed := min(len(list), mostDetailed)
	for _, f := range list[:detailed] {
		s.failure(f)
	}

	if detailed == len(list) {
		return
	}

	// One broken cause often fails many stages: the rest get one line each.

	s.section("failed as well", "")
	var names []string
	for _, f := range list[detailed:min(len(list), mostFailures)] {
		names = append(names, s.name(f.Stage))
	}

	s.table(names, func(i int, r *line) { r.put(none, clean(firstLine(list[detailed+i].Text))) })
	s.more(len(list)-mostFailures, "")
}

func (s *summary) failure(f runstate.Failure) {
	where := ""
	if f.Attempt > 1 {
		where = fmt.Sprintf("attempt %d", f.Attempt)
	}

	if d := s.run.LastDuration(f.Stage); d > 0 {
		where = joinRemarks(where, "after "+formatTook(d))
	}

	// Without a worker, the coordinator recorded the failure.
	if f.Worker != "" {
		where = joinRemarks(where, "on "+clean(f.Worker))
	}

	if where != "" {
		where = "  " + where
	}

	s.line()
	s.line(span{boldRed, "✗ " + s.name(f.Stage) + " failed"}, span{dim, where})
	for line := range strings.SplitSeq(strings.TrimRight(f.Text, "\n"), "\n") {
		s.line(span{none, "  " + clean(line)})
	}

	s.log(f)
}

const bar = "  │ " // before lines of a log

// log shows the last lines that a failed attempt printed.
func (s *summary) log(f runstate.Failure) {
	if s.Log == nil {
		return
	}

	log, err := s.Log(journal.AttemptID{Stage: f.Stage, Attempt: f.Attempt})
	// A failure without its log is better than no summary.
	if err != nil {
		s.line(span{yellow, "  its log cannot be read: " + clean(err.Error())})
		return
	}

	log = bytes.TrimRight(log, "\r\n\t ")
	if len(log) == 0 {
		return
	}

	lines := strings.Split(string(log), "\n")
	// The cause of a failure is usually in the last lines.
	if more := len(lines) - mostLines; more > 0 {
		s.line(span{dim, bar + "... " + plural(more, "line") + " before"})
		lines = lines[more:]
	}

	for _, line := range lines {
		for _, line := range term.Wrap(term.Truncate(clean(term.Visible(line)), mostCells), s.Width-term.Width(bar)) {
			s.line(span{dim, bar}, span{none, line})
		}
	}
}

// skips lists the skipped stages by reason, the most frequent reason first.
func (s *summary) skips() {
	count := make(map[string]int)
	names := make(map[string][]string)
	var reasons []string
	for id := range s.run.DAG.Stages() {
		if s.run.DAG.State(id) != dag.Skipped {
			continue
		}

		why := s.run.WhySkipped(id)
		if count[why]++; count[why] == 1 {
			reasons = append(reasons, why)
		}

		// Only the names that are shown are kept: a run may skip a million stages.
		if count[why] <= mostNames {
			names[why] = append(names[why], s.name(id))
		}
	}

	if len(reasons) == 0 {
		return
	}

	s.section("skipped", "")
	slices.SortStableFunc(reasons, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	for _, why := range reasons[:min(len(reasons), mostReasons)] {
		list := strings.Join(names[why], ", ")
		if more := count[why] - mostNames; more > 0 {
			list += ", +" + commas(more) + " more"
		}
		s.line(span{none, "  " + list}, span{dim, "  " + clean(why)})
	}

	s.more(len(reasons)-mostReasons, " stages made others be skipped")
}

// path shows the stages of the critical path that took longest.
func (s *summary) path() {
	path, sum := s.run.CriticalPath()
	if sum < shortestPath || len(path) < 2 {
		return
	}

	s.section("critical path", fmt.Sprintf("  %s, %s", plural(len(path), "stage"), formatTook(sum)))
	// Longest first, since these are worth making faster.
	slices.SortStableFunc(path, func(a, b dag.StageID) int { return cmp.Compare(s.run.TotalDuration(b), s.run.TotalDuration(a)) })
	var names []string
	for _, id := range path[:min(len(path), mostOfPath)] {
		names = append(names, s.name(id))
	}

	s.table(names, func(i int, r *line) {
		d := s.run.TotalDuration(path[i])
		r.right(none, formatTook(d), 7)
		r.put(dim, fmt.Sprintf("  %3.0f%%", 100*float64(d)/float64(sum)))
	})
}
