package progress

import (
	"bytes"
	"strings"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/term"
)

// Shown returns the running attempts that the terminal shows now: at most half a screen. In other
// modes it returns none.
func (p *Printer) Shown() []journal.AttemptID {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.display.(*tty)
	if !ok || p.outputs.mode == LogsNone || p.outputs.mode == LogsPrefixed {
		return nil
	}

	rows := t.rows()
	var shown []journal.AttemptID
	for _, a := range rows[:min(len(rows), t.mostRows())] {
		if a.folded == nil {
			shown = append(shown, journal.AttemptID{Stage: a.stage, Attempt: a.number})
		}
	}
	return shown
}

// Logs shows beside each running attempt the last line of what it has printed so far.
func (p *Printer) Logs(logs map[journal.AttemptID][]byte) {
	// Before the lock, which every entry of the journal needs too.
	tails := make(map[journal.AttemptID]string, len(logs))
	for a, log := range logs {
		log = bytes.TrimRight(log, " \r\n\t")
		last := string(log[bytes.LastIndexByte(log, '\n')+1:])

		// Made visible before it is cleaned: a progress bar redraws its line with control
		// characters.
		tails[a] = term.Truncate(clean(strings.TrimSpace(term.Visible(last))), mostCells)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.display.(*tty); ok {
		t.tails = tails
	}
}
