package progress

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// tty shows a run on a terminal: lines that stay, and below them a block that is redrawn.
//
// Between two draws the cursor rests on the empty line at the top of the block, not below it. A
// resize may wrap the block to any number of rows. A draw need not know it: it erases all below the
// cursor.
type tty struct {
	counters
	color    bool
	size     func() (width, height int)
	width    int    // as of the last draw
	height   int    // as of the last draw
	names    int    // width of the column of names, at most
	lines    []byte // permanent lines that are not drawn yet
	block    []byte // as last drawn
	throttle throttle
	tails    map[journal.AttemptID]string // the last line that each running attempt printed

	waiting []waitingGroup // ready stages, by the reason why they do not start
}

// Escape sequences.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	noWrap     = "\x1b[?7l"
	doWrap     = "\x1b[?7h"
	eraseLine  = "\x1b[K" // from the cursor on
	eraseDown  = "\x1b[J" // from the cursor on
	newLine    = "\r\n"
)

func newTTY(color bool, size func() (int, int)) *tty {
	t := &tty{color: color, size: size}
	t.resize()
	return t
}

func (t *tty) observe(buf []byte, run *runstate.Run, e journal.Entry, now time.Time) []byte {
	known := t.total()
	if t.counters.observe(run, e, now) {
		t.header(run)
	}

	if t.total() != known {
		// The column only grows: lines that stay cannot be aligned again.
		t.names = max(t.names, nameWidth(run, widestName))
	}

	if past, last := t.isPast(e); last {
		t.line(dim, " ", func(r *line) { r.put(dim, "so far:"); r.list(t.soFar()) })
		return buf
	} else if past {
		return buf
	}

	t.nextSecond(now)
	skipped := skips(run, e)
	for _, r := range e.Records {
		look := styleOf(run, e, r)
		switch {
		case r.Type == journal.RunReopened:
			t.line(look.style, look.mark, func(row *line) { row.put(none, look.word+": "+t.reopens()) })
		case r.Type == journal.RunCancelling:
			t.line(look.style, look.mark, func(row *line) { row.put(none, look.word+": "+t.cancels(r)) })
		case t.oneOfMany(run, r, skipped):
		case look.word != "" && !(routine(r.Type) && t.throttle.hide(r)):
			t.line(look.style, look.mark, func(row *line) { t.end(row, run, e, r, look) })
		}
	}

	look := statusStyles[journal.StageSkipped]
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		names := skipped[why]
		t.line(look.style, look.mark, func(row *line) {
			text := plural(len(names), "stage") + " skipped " + clean(why) + ": "
			row.put(look.style, text+listed(names, row.left-term.Width(text)))
		})
	}

	return buf
}

func (t *tty) header(run *runstate.Run) {
	t.line(none, "", func(r *line) {
		r.put(bold, clean(run.Spec.Name))
		r.put(dim, " · "+plural(t.total(), "stage")+" · run "+clean(string(run.ID)))
	})
}

// wait sets the reasons that the block shows, and makes the column of names wide enough for them.
func (t *tty) wait(groups []waitingGroup) {
	t.waiting = groups
	for _, w := range groups {
		t.names = max(t.names, min(widestName, term.Width(w.label)))
	}
}

// row begins a row of the terminal. It is one column narrower than the terminal, since a character
// in the last column makes some terminals wrap.
func (t *tty) row() line { return line{left: t.width - 1, color: t.color} }

// line adds a permanent line.
func (t *tty) line(s style, mark string, rest func(*line)) {
	r := t.row()
	r.buf = t.lines
	if mark != "" {
		r.put(s, mark)
		r.gap(1)
	}
	rest(&r)
	t.lines = append(append(r.buf, eraseLine...), newLine...)
}

// stage adds the columns of a stage. Columns that do not fit are omitted, from the right.
func (t *tty) stage(r *line, name string, look statusStyle, duration, remark string) {
	// Long names must leave room for the state and the reason.
	width := min(t.names, max(8, t.width/3))
	r.column(none, shorten(name, min(width, r.left)), width)
	if r.left < 2+wordWidth {
		return
	}

	r.gap(2)
	r.column(look.style, look.word, wordWidth)
	if r.left < 2+6 {
		return
	}

	r.gap(2)
	r.right(dim, duration, 6)
	if r.left >= 2+6 {
		r.gap(2)
		r.put(none, remark)
	}
}

func (t *tty) end(row *line, run *runstate.Run, e journal.Entry, r journal.Record, look statusStyle) {
	duration := ""
	remark := remark(run, e, r)
	if r.Duration > 0 {
		duration = formatTook(r.Duration)
	}

	if r.Attempt > 1 {
		remark = joinRemarks("attempt "+strconv.Itoa(int(r.Attempt)), remark)
	}

	t.stage(row, clean(run.Name(r.Stage)), look, duration, remark)
}

func (t *tty) say(buf []byte, m message, _ time.Time) []byte {
	// Not cut but wrapped by the terminal: the message may contain a command to copy.
	r := line{buf: append(t.lines, eraseDown...), left: math.MaxInt, color: t.color}
	switch m.kind {
	case stageOutput:
		r.output(m, min(t.names, max(8, t.width/3)))
		t.lines = append(r.buf, newLine...)
		return buf
	case waiting:
		r.put(yellow, "! ")
	case resolved:
		r.put(green, "✓ ")
		r.put(none, "resolved ")
	}
	r.put(none, clean(m.text))
	t.lines = append(r.buf, newLine...)
	return buf
}

// draw writes the new lines where the block was, and the block below them.
func (t *tty) draw(buf []byte, now time.Time) []byte {
	resized := t.resize()
	if t.graph == nil && len(t.lines) == 0 {
		return buf
	}

	t.nextSecond(now)
	if t.graph != nil {
		t.rate.update(now, t.executed())
	}

	block := t.render(now)
	// An idle run writes nothing, so that a selection with the mouse stays.
	if len(t.lines) == 0 && bytes.Equal(block, t.block) && !resized {
		return buf
	}

	buf = append(buf, hideCursor...)
	if resized {
		// The terminal remembers which rows it wrapped. Without this, a later resize would join new
		// rows with the old ones.
		buf = append(buf, eraseDown...)
	}

	buf = append(append(append(buf, t.lines...), noWrap...), block...)
	t.lines = t.lines[:0]
	t.block = block
	return append(append(buf, doWrap...), showCursor...)
}

// resize reads the size of the terminal, and reports whether it has changed.
func (t *tty) resize() bool {
	width := t.width
	height := t.height
	t.width, t.height = t.size()
	return t.width != width || t.height != height
}

// finish writes the permanent lines and erases the block.
func (t *tty) finish(buf []byte, _ time.Time) []byte {
	t.showHidden()
	if len(t.lines) == 0 && t.block == nil {
		return buf
	}

	buf = append(append(buf, t.lines...), eraseDown...)
	if t.graph == nil {
		return buf
	}

	return append(buf, newLine...) // the summary follows
}
