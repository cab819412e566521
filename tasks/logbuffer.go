package tasks

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/godags/godags/internal/logtext"
	"github.com/godags/godags/internal/term"
)

// DefaultLogLimit is the default of how many bytes of an attempt's output a [LogBuffer] keeps: 64
// KiB.
const DefaultLogLimit = logtext.Limit

// LogBuffer is a writer that keeps a limited part of the text: the beginning, with a quarter of the
// limit, and the end, with the rest. The zero value keeps [DefaultLogLimit] bytes. Its methods may
// be called from many goroutines.
type LogBuffer struct {
	mu    sync.Mutex
	limit int
	head  []byte // the first bytes; full before the ring is used
	ring  []byte // the last bytes; once full, the oldest is at next
	next  int
	total int64

	mask  *Mask  // nil: there are no secrets
	text  []byte // the last write, after held
	clean []byte // the same without secrets
	held  []byte // the end of text, if a secret may begin there: the next write decides
}

// NewLogBuffer returns a buffer that keeps limit bytes, or [DefaultLogLimit] if limit is not
// positive.
func NewLogBuffer(limit int) *LogBuffer {
	return &LogBuffer{limit: max(limit, 0)}
}

// Hide has the buffer replace secrets in all further writes.
func (b *LogBuffer) Hide(m *Mask) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mask = m
}

// Write appends p to the text. It never fails.
func (b *LogBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.limit == 0 {
		b.limit = DefaultLogLimit
	}

	// Secrets are replaced before anything is kept, so that no reader of the buffer can see one.
	// Both slices are used again, since commands write much and often.
	written := len(p)
	if b.mask != nil {
		b.text = append(append(b.text[:0], b.held...), p...)
		b.clean, b.held = b.mask.clean(b.clean[:0], b.text)
		p = b.clean
	}

	b.total += int64(len(p))
	kept := min(b.headLimit()-len(b.head), len(p))
	b.head = append(b.head, p[:kept]...)
	b.keepLast(p[kept:], b.limit-b.headLimit())
	return written, nil
}

// keepLast writes p to a ring of size bytes.
func (b *LogBuffer) keepLast(p []byte, size int) {
	// Bytes that the rest of p would overwrite are not copied.
	p = p[max(0, len(p)-size):]
	kept := min(size-len(b.ring), len(p))
	b.ring = append(b.ring, p[:kept]...)
	for p = p[kept:]; len(p) > 0; {
		n := copy(b.ring[b.next:], p)
		b.next = (b.next + n) % size
		p = p[n:]
	}
}

// Len returns the number of bytes that were written, kept or not. A secret counts as its
// replacement.
func (b *LogBuffer) Len() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total + int64(len(b.held))
}

// Bytes returns a copy of the kept text. If bytes were left out in the middle, a line says how
// many.
func (b *LogBuffer) Bytes() []byte { return b.Text().Bytes() }

// Text returns a copy of the kept text with its offsets.
func (b *LogBuffer) Text() logtext.Text {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.since(0)

	// Nothing follows for now, so what might have become a secret is none.
	held := b.mask.end(b.held)
	if len(t.Tail) == 0 && len(t.Head)+len(held) <= b.headLimit() {
		t.Head = append(t.Head, held...)
		return t
	}

	if len(t.Tail) == 0 {
		t.TailFrom = t.End()
	}
	t.Tail = append(t.Tail, held...)
	return t
}

// Since returns a copy of what was written after an offset, as far as it is kept. The end of the
// text is missing while it may be the beginning of a secret.
func (b *LogBuffer) Since(offset int64) logtext.Text {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since(offset)
}

func (b *LogBuffer) since(offset int64) logtext.Text {
	t := logtext.Text{From: offset, TailFrom: max(offset, b.total-int64(len(b.ring)))}
	if offset < int64(len(b.head)) {
		t.Head = bytes.Clone(b.head[offset:])
	}
	if ended := b.total - t.TailFrom; ended > 0 {
		ring := slices.Concat(b.ring[b.next:], b.ring[:b.next])
		t.Tail = ring[int64(len(ring))-ended:]
	}

	return t
}

func (b *LogBuffer) headLimit() int { return b.limit / 4 }

// LastLine returns the last line with printable characters, without control characters and cut to
// 200 bytes, or "". A carriage return ends a line too, so that the last state of a progress bar is
// found.
func (b *LogBuffer) LastLine() string {
	text := b.Text()
	tail := logtext.TrimStart(text.Tail)
	if text.Gap() == 0 {
		tail = slices.Concat(text.Head, text.Tail)
	}

	for len(tail) > 0 {
		tail = bytes.TrimRight(tail, "\r\n\t ")
		end := bytes.LastIndexAny(tail, "\r\n")
		if line := printable(tail[end+1:]); line != "" {
			return line
		}
		tail = tail[:max(end, 0)]
	}

	return ""
}

// printable returns the first 200 bytes of the line that a terminal can show.
func printable(line []byte) string {
	// A line may have gigabytes, and only its first bytes are shown. Escape sequences, which are
	// removed, can be many times as long.
	const most, enough = 200, 4096
	if len(line) > enough {
		line = logtext.TrimEnd(line[:enough])
	}

	// Invalid bytes are replaced and not dropped: a shorter file name would be that of another
	// file.
	text := strings.ToValidUTF8(string(line), "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, term.Strip(text))

	text = strings.TrimSpace(text)
	if len(text) <= most {
		return text
	}

	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
