package progress

import (
	"bytes"
	"strings"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/term"
)

// Shown returns the running attempts that a terminal shows at the moment: at most ten, and none in
// another mode.
func (p *Printer) Shown() []journal.AttemptID {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.display.(*tty)
	if !ok {
		return nil
	}

	running := t.oldest()
	var shown []journal.AttemptID
	for _, a := range running[:min(len(running), maxRunning)] {
		shown = append(shown, journal.AttemptID{Stage: a.stage, Attempt: a.number})
	}
	return shown
}

// Logs shows beside each running attempt the last line of what it has printed so far.
func (p *Printer) Logs(logs map[journal.AttemptID][]byte) {
	tails := make(map[journal.AttemptID]string, len(logs))
	for a, log := range logs {
		log = bytes.TrimRight(log, " \r\n\t")
		tails[a] = term.Truncate(clean(strings.TrimSpace(term.Visible(string(log[bytes.LastIndexByte(log, '\n')+1:])))), mostCells)
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.display.(*tty); ok {
		t.tails = tails
	}
}
