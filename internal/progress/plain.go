package progress

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// plain shows a run as lines of text in columns: time since the submission, status, stage, attempt,
// duration, remark.
type plain struct {
	counters
	color      bool
	names      int           // width of the column of names
	reportedAt time.Duration // when the counts were last printed
	reported   int           // the number of finished stages at that time
	namedAt    time.Duration // when the running stages were last printed
}

const (
	manyStages  = 1000             // with more, counts replace the lines of successes
	nameEvery   = 30 * time.Second // between two lines with the running stages
	namesShown  = 8                // stages on such a line
	widestName  = 32               // columns of the column of names, at most
	skipColumns = 80               // columns for the names of stages that were skipped together
)

func (p *plain) observe(buf []byte, run *runstate.Run, e journal.Entry, now time.Time) []byte {
	known := p.total()
	if p.counters.observe(run, e, now) {
		buf = p.line(buf, 0, statusStyle{}, func(r *line) {
			r.put(bold, clean(run.Spec.Name))
			r.put(none, fmt.Sprintf(": %s, run %s", plural(p.total(), "stage"), clean(string(run.ID))))
		})
	}

	// A fan-out adds instances, whose names are longer.
	if p.total() != known {
		p.names = max(p.names, nameWidth(run, widestName))
	}

	at := max(0, e.Time.Sub(p.submitted))
	if past, last := p.isPast(e); last {
		return p.line(buf, at, statusStyle{word: "so far"}, func(r *line) {
			r.put(none, p.done())
			r.list(p.soFar())
		})
	} else if past {
		return buf
	}

	skipped := skips(run, e)
	for _, record := range e.Records {
		look := styleOf(run, e, record)
		switch {
		case record.Type == journal.RunReopened:
			buf = p.line(buf, at, look, func(r *line) { r.put(none, p.reopens()) })
		case record.Type == journal.RunCancelling:
			buf = p.line(buf, at, look, func(r *line) { r.put(none, p.cancels(record)) })
		case p.oneOfMany(run, record, skipped):
		case look.word != "" && !(p.total() > manyStages && routine(record.Type)):
			buf = p.line(buf, at, look, func(r *line) { p.stage(r, run, e, record) })
		}
	}

	look := statusStyles[journal.StageSkipped]
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		names := skipped[why]
		buf = p.line(buf, at, look, func(r *line) {
			r.put(none, plural(len(names), "stage")+" "+clean(why)+": "+listed(names, skipColumns))
		})
	}

	return buf
}

// line adds a line. Without a word it has only what rest adds.
func (p *plain) line(buf []byte, at time.Duration, look statusStyle, rest func(*line)) []byte {
	// Never cut: a log in CI has no width, and is searched for whole texts.
	r := line{buf: buf, left: math.MaxInt, color: p.color}
	if look.word != "" {
		r.put(dim, stopwatch(at))
		r.gap(2)
		r.column(look.style, look.word, len("cancelling"))
		r.gap(2)
	}

	rest(&r)
	return append(bytes.TrimRight(r.buf, " "), '\n')
}

func (p *plain) stage(r *line, run *runstate.Run, e journal.Entry, record journal.Record) {
	r.column(none, clean(run.Name(record.Stage)), p.names)
	attempt := ""
	duration := ""
	if record.Attempt > 1 {
		attempt = "#" + strconv.Itoa(int(record.Attempt))
	}

	if record.Duration > 0 {
		duration = formatTook(record.Duration)
	}

	r.gap(1)
	r.right(dim, attempt, 3)
	r.gap(1)
	r.right(none, duration, 7)
	r.gap(2)
	r.put(none, remark(run, e, record))
}

func (p *plain) say(buf []byte, m message, now time.Time) []byte {
	look := statusStyle{}
	switch m.kind {
	case stageOutput:
		return p.line(buf, 0, look, func(r *line) { r.output(m, p.names) })
	case waiting:
		look.word = "waiting"
		look.style = yellow
	case resolved:
		look.word = "resolved"
		look.style = green
	}
	return p.line(buf, p.elapsed(now), look, func(r *line) { r.put(none, clean(m.text)) })
}

// draw adds the lines that are due by time and not by an entry.
func (p *plain) draw(buf []byte, now time.Time) []byte {
	if p.graph == nil {
		return buf
	}

	p.rate.update(now, p.executed())
	at := p.elapsed(now)
	// A log that is silent for minutes looks as if the run hung.
	if len(p.running) > 0 && at-p.namedAt >= nameEvery {
		p.namedAt = at
		p.reportedAt = at
		buf = p.line(buf, at, statusStyle{word: "running", style: cyan}, func(r *line) { p.runs(r, now) })
	}

	// The longer a run takes, the less often it reports: thousands of lines are not read.
	if every := min(max(time.Second, at/60), nameEvery); at-p.reportedAt >= every {
		buf = p.report(buf, at, now)
	}
	return buf
}

// report prints the counts of a run with many stages, if they have changed.
func (p *plain) report(buf []byte, at time.Duration, now time.Time) []byte {
	if p.total() <= manyStages || p.ended() == p.reported {
		return buf
	}

	p.reportedAt = at
	p.reported = p.ended()
	return p.line(buf, at, statusStyle{word: "progress"}, func(r *line) {
		r.put(none, p.done())
		r.list(p.counts(now))
	})
}

// runs prints the running stages, longest running first.
func (p *plain) runs(r *line, now time.Time) {
	rows := p.rows()
	for i, a := range rows[:min(len(rows), namesShown)] {
		if i > 0 {
			r.put(none, ", ")
		}
		r.put(none, clean(a.name))
		if a.folded != nil {
			r.list(a.folded.counts())
		}
		r.put(dim, " ("+formatRough(p.clock(now).Sub(a.since))+")")
	}

	if more := len(rows) - namesShown; more > 0 {
		r.put(none, ", +"+commas(more)+" more")
	}
}

func (p *plain) finish(buf []byte, now time.Time) []byte {
	if p.graph == nil {
		return buf
	}
	return append(p.report(buf, p.elapsed(now), now), '\n') // the summary follows
}
