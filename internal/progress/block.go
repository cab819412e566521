package progress

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
)

// Rows of the block.
const (
	leastRows  = 10 // of what runs, if there is room
	maxWaiting = 3  // reasons why ready stages do not start
)

// render draws the block: an empty line, the running stages, the reasons of waiting stages and a
// line with the counts. Last, the cursor returns to the top.
func (t *tty) render(now time.Time) []byte {
	var block []byte
	rows := 0
	add := func(r line) {
		block = append(append(append(block, newLine...), r.buf...), eraseLine...)
		rows++
	}
	block = append(block, eraseLine...)
	// A block that is taller than the terminal would scroll, and leave a copy for every draw.
	if t.graph == nil || t.height < 2 {
		return append(block, eraseDown...)
	}

	// Reasons get at most a third of the screen: what runs matters more.
	room := max(0, t.height-3)
	waiting := t.waiting[:min(len(t.waiting), maxWaiting, room/3)]

	running := t.rows()
	show := len(running)
	if most := min(t.mostRows(), room-len(waiting)); show > most {
		show = max(0, most-1) // one row says how many more there are
	}

	for _, a := range running[:show] {
		if a.folded != nil {
			add(t.foldedRow(a.folded, now))
			continue
		}
		add(t.active(a.attempt, now))
	}

	if more := len(running) - show; more > 0 && t.height > 3 {
		r := t.row()
		r.put(dim, "  +"+commas(more)+" more running")
		add(r)
	}

	for _, w := range waiting {
		add(t.ready(w, now))
	}

	add(t.footer(now))
	// The previous block may have had more rows.
	block = append(block, eraseDown...)
	return append(block, fmt.Sprintf("\r\x1b[%dA", rows)...)
}

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// mostRows is how many rows of what runs are shown. The other half of a high terminal shows what
// has ended.
func (t *tty) mostRows() int { return max(leastRows, t.height/2) }

// foldedRow is the row of a stage with many instances.
func (t *tty) foldedRow(f *folded, now time.Time) line {
	r := t.row()
	r.put(cyan, spinnerAt(now))
	r.gap(1)
	look := statusStyle{word: "running", style: cyan}
	if f.running == 0 {
		look = statusStyle{word: "waiting", style: dim}
	}
	t.stage(&r, clean(f.name), look, formatRunning(t.clock(now).Sub(f.since)), "")
	r.gap(1)
	r.list(f.counts())
	return r
}

func spinnerAt(now time.Time) string {
	return spinner[now.UnixMilli()/drawEvery.Milliseconds()%int64(len(spinner))]
}

func (t *tty) active(a attempt, now time.Time) line {
	r := t.row()
	r.put(cyan, spinnerAt(now))
	r.gap(1)
	remark := ""
	if a.number > 1 {
		remark = "attempt " + strconv.Itoa(int(a.number))
	}

	// With one worker the name would be the same on every row.
	if t.several {
		remark = joinRemarks(remark, "on "+clean(a.worker))
	}

	// The log comes last, because what does not fit is cut off on the right.
	remark = joinRemarks(remark, t.tails[journal.AttemptID{Stage: a.stage, Attempt: a.number}])
	t.stage(&r, clean(a.name), statusStyle{word: "running", style: cyan}, formatRunning(t.clock(now).Sub(a.since)), remark)
	return r
}

// ready shows why a group of ready stages does not start.
func (t *tty) ready(w waitingGroup, now time.Time) line {
	mark := "·"
	look := statusStyle{word: "ready", style: dim}
	// These do not pass by themselves: a user must act.
	if w.Blocked || w.Reason.Code == api.ReasonRedis {
		mark = "!"
		look.style = yellow
	}

	r := t.row()
	r.put(look.style, mark)
	r.gap(1)
	t.stage(&r, w.label, look, formatRunning(now.Sub(w.since)), clean(w.Reason.Text))
	return r
}

func (t *tty) footer(now time.Time) line {
	r := t.row()
	r.put(bold, t.done())
	r.list(t.counts(now))
	// The bar takes what room is left: it repeats the counts before it.
	if width := min(r.left-3, 24); width >= 8 {
		r.gap(r.left - width)
		t.bar(&r, width)
	}
	return r
}

// bar draws how many stages are finished.
func (t *tty) bar(r *line, width int) {
	total := max(1, t.total())
	ended := t.ended() * width / total
	// Computed from the sum, so that the rounded parts never exceed the bar.
	bad := min(ended, (t.ended()-t.state[dag.Succeeded])*width/total)
	for _, part := range []struct {
		style style
		cell  string
		n     int
	}{{green, "━", ended - bad}, {red, "━", bad}, {dim, "─", width - ended}} {
		r.put(part.style, strings.Repeat(part.cell, part.n))
	}
}
