// Package progress shows a run while it is active, and a summary when it has finished.
package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// Config says how and where a run is shown. Only Out is needed.
type Config struct {
	Out   io.Writer                   // where progress goes: standard error
	Mode  Mode                        // Auto if empty
	Color Color                       // ColorAuto if empty
	Logs  LogMode                     // LogsAuto if empty
	Env   func(string) (string, bool) // looks up environment variables; nil: os.LookupEnv

	// Size returns the size of the terminal. Nil: that of Out, or 80 x 24 if it is unknown.
	Size func() (width, height int)

	// Remedy returns what to do about stages that no live worker can run, such as the command that
	// starts one. Nil or an empty text: nothing is suggested.
	Remedy func(runstate.Group) string
}

// Printer shows one run. It is safe for concurrent use. Only Close waits for Out, so a stopped
// terminal (Ctrl-S) does not stop the run.
type Printer struct {
	out    io.Writer
	remedy func(runstate.Group) string
	stop   chan struct{} // closed by Close
	done   chan struct{} // closed when the writing goroutine has exited
	once   sync.Once

	mu      sync.Mutex
	display display // nil: quiet, closed, or Out has failed
	buf     []byte  // output that is not written yet
	spare   []byte  // the buffer of the last write, to be used again
	partial []byte  // an incomplete line of Write
	blocks  blocks
	outputs outputs
	err     error // the first error of Out
}

// display is one form of progress. Each method appends its output to buf. The lock of the Printer
// is held during a call.
type display interface {
	observe(buf []byte, run *runstate.Run, e journal.Entry, now time.Time) []byte
	say(buf []byte, m message, now time.Time) []byte
	draw(buf []byte, now time.Time) []byte   // ten times a second
	finish(buf []byte, now time.Time) []byte // once, instead of a draw
}

// message is a line that is not from the journal.
type message struct {
	kind messageKind
	text string

	stage   string      // whose output the text is, with stageOutput
	attempt dag.Attempt // of the stage
}

// messageKind is the type of a message in JSON: see [api.Message].
type messageKind string

const (
	logLine  messageKind = "message"
	waiting  messageKind = "waiting"  // no live worker can run some ready stages
	resolved messageKind = "resolved" // this is no longer so

	stageOutput messageKind = "output" // a line that a stage printed
)

// drawEvery is the time between two writes to Out.
const drawEvery = 100 * time.Millisecond

// New returns a printer and starts the goroutine that writes. The caller must close the printer.
func New(cfg Config) *Printer {
	if cfg.Env == nil {
		cfg.Env = os.LookupEnv
	}

	if cfg.Size == nil {
		cfg.Size = func() (int, int) { return size(cfg.Out) }
	}

	p := &Printer{out: cfg.Out, remedy: cfg.Remedy, stop: make(chan struct{}), done: make(chan struct{})}
	p.outputs.mode = cfg.Logs
	color := cfg.Color.Enabled(cfg.Out, cfg.Env)
	switch cfg.Mode.resolve(cfg.Out, cfg.Env) {
	case TTY:
		p.display = newTTY(color, cfg.Size)
	case JSON:
		p.display = &stream{}
	// No goroutine is started. Close must not wait for one.
	case Quiet:
		close(p.done)
		return p
	default:
		p.display = &plain{color: color}
		p.outputs.group = groupingOf(cfg.Env)
	}

	go p.write()
	return p
}

// Past sets the last entry of the past: entries up to it are shown as one line that sums them up.
// It must be called before the first entry is observed. JSON shows every entry all the same.
func (p *Printer) Past(entry journal.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch d := p.display.(type) {
	case *tty:
		d.past = entry
	case *plain:
		d.past = entry
	}
}

// Observe shows an entry. It must be called for each entry of the journal, in order, after the
// entry was applied to run. The run is not used after Observe returns.
func (p *Printer) Observe(run *runstate.Run, e journal.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks.observe(run)
	if p.display == nil {
		return
	}

	now := time.Now()
	p.outputs.observe(run, p.display)
	if !p.outputs.lines {
		p.buf = p.outputs.release(p.buf, func(heldEntry) bool { return true })
		p.buf = p.display.observe(p.buf, run, e, now)
		return
	}
	if _, isJSON := p.display.(*stream); !isJSON {
		e = withoutNotes(e)
	}
	p.buf = p.outputs.add(p.buf, p.display.observe(nil, run, e, now), e, now)
}

// Write shows whole lines of text, such as warnings, among the progress of the run. It never fails.
func (p *Printer) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, text...)
	for {
		// A part of a line would be torn apart by the next line of progress.
		line, rest, whole := bytes.Cut(p.partial, []byte("\n"))
		if !whole {
			return len(text), nil
		}
		p.say(message{kind: logLine, text: string(bytes.TrimSuffix(line, []byte("\r")))})
		p.partial = rest
	}
}

func (p *Printer) say(m message) {
	if p.display != nil {
		p.buf = p.display.say(p.buf, m, time.Now())
	}
}

// Close writes the rest and erases the block. It returns the first error of Out, after which
// nothing was written. Further calls return the same error.
func (p *Printer) Close() error {
	p.once.Do(func() { close(p.stop) })
	<-p.done
	return p.err
}

// write writes to Out until the printer is closed. No other goroutine writes to Out.
func (p *Printer) write() {
	defer close(p.done)
	ticker := time.NewTicker(drawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.flush(display.draw)
		case <-p.stop:
			p.end()
			return
		}
	}
}

func (p *Printer) end() {
	p.mu.Lock()
	if len(p.partial) > 0 {
		p.say(message{kind: logLine, text: string(p.partial)})
	}

	if p.display != nil {
		p.buf = p.outputs.release(p.buf, func(heldEntry) bool { return true })
	}
	p.mu.Unlock()
	p.flush(display.finish)
	p.mu.Lock()
	defer p.mu.Unlock()
	// After the last line, so that a late call shows nothing below the summary.
	p.display = nil
}

// maxSpare is the size of the largest buffer that is kept for later.
const maxSpare = 1 << 20

func (p *Printer) flush(last func(display, []byte, time.Time) []byte) {
	p.mu.Lock()
	if p.display == nil {
		p.mu.Unlock()
		return
	}

	now := time.Now()
	p.buf = p.outputs.release(p.buf, func(h heldEntry) bool { return now.Sub(h.since) >= holdAtMost })
	// Two buffers take turns: one is written without the lock while the other collects output.
	out := last(p.display, p.buf, now)
	p.buf = p.spare[:0]
	p.mu.Unlock()

	// Without the lock: the terminal may be stopped, and then blocks a write for hours.
	var err error
	if len(out) > 0 {
		_, err = p.out.Write(out)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	// One burst of a million entries must not keep its memory for the rest of the run.
	if p.spare = nil; cap(out) <= maxSpare {
		p.spare = out
	}
	if err != nil {
		p.err = fmt.Errorf("show progress: %w", err)
		p.display = nil
		p.buf = nil
	}
}

// size asks the terminal for its size.
func size(out io.Writer) (width, height int) {
	if width, height, ok := term.Size(out); ok {
		return width, height
	}
	return 80, 24
}
