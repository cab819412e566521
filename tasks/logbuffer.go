package tasks

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/godags/godags/internal/term"
)

// DefaultLogLimit is how much of an attempt's output a [LogBuffer] keeps unless told otherwise: 64
// KiB.
const DefaultLogLimit = 64 << 10

// LogBuffer keeps the first quarter and the last three quarters of what is written to it, up to a
// limit in total. The zero value keeps [DefaultLogLimit] bytes. Its methods may be called from many
// goroutines.
type LogBuffer struct {
	mu    sync.Mutex
	limit int
	head  []byte // the first bytes; full before the ring is used
	ring  []byte // the last bytes; once full, the oldest is at next
	next  int
	total int64

	mask  *Mask
	text  []byte // what was written last
	clean []byte // the same without secrets
	// its end, which may be the beginning of a secret, so that what follows must be known
	held []byte
}

// NewLogBuffer returns a buffer that keeps limit bytes, or [DefaultLogLimit] if limit is not
// positive.
func NewLogBuffer(limit int) *LogBuffer {
	return &LogBuffer{limit: max(limit, 0)}
}

// Hide makes the buffer replace secrets in what is written from then on.
func (b *LogBuffer) Hide(m *Mask) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mask = m
}

// Write never fails.
func (b *LogBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.limit == 0 {
		b.limit = DefaultLogLimit
	}

	written := len(p)
	if b.mask != nil {
		b.text = append(append(b.text[:0], b.held...), p...)
		b.clean, b.held = b.mask.clean(b.clean[:0], b.text)
		p = b.clean
	}

	b.total += int64(len(p))
	kept := min(b.limit/4-len(b.head), len(p))
	b.head = append(b.head, p[:kept]...)
	b.keepLast(p[kept:], b.limit-b.limit/4)
	return written, nil
}

// keepLast writes p to a ring of size bytes.
func (b *LogBuffer) keepLast(p []byte, size int) {
	p = p[max(0, len(p)-size):]
	kept := min(size-len(b.ring), len(p))
	b.ring = append(b.ring, p[:kept]...)
	for p = p[kept:]; len(p) > 0; {
		n := copy(b.ring[b.next:], p)
		b.next = (b.next + n) % size
		p = p[n:]
	}
}

// Len returns how many bytes were written, kept or not. A secret that was replaced counts as its
// replacement.
func (b *LogBuffer) Len() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total + int64(len(b.held))
}

// Bytes returns a copy of what is kept. A line of its own says how many bytes were left out in the
// middle, if any.
func (b *LogBuffer) Bytes() []byte {
	head, tail, left := b.parts()
	if left == 0 {
		return append(head, tail...)
	}

	if len(head) > 0 && head[len(head)-1] != '\n' {
		head = append(head, '\n')
	}

	head = fmt.Appendf(head, "... %d bytes left out ...\n", left)
	return append(head, tail...)
}

// parts returns copies of what is kept before and after the bytes left out.
func (b *LogBuffer) parts() (head, tail []byte, left int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	head = bytes.Clone(b.head)
	tail = append(bytes.Clone(b.ring[b.next:]), b.ring[:b.next]...)
	if left = b.total - int64(len(head)+len(tail)); left > 0 {
		head, tail = wholeCharacters(head, tail)
		left = b.total - int64(len(head)+len(tail))
	}

	return head, append(tail, b.mask.end(b.held)...), left
}

// wholeCharacters takes off parts of characters of which the rest is left out between head and
// tail: else text that is UTF-8 would not be that any more.
func wholeCharacters(head, tail []byte) (_, _ []byte) {
	for i := max(0, len(head)-utf8.UTFMax+1); i < len(head); i++ {
		if utf8.RuneStart(head[i]) && !utf8.FullRune(head[i:]) {
			head = head[:i]
		}
	}

	for i := 0; i < utf8.UTFMax-1 && len(tail) > 0 && !utf8.RuneStart(tail[0]); i++ {
		tail = tail[1:]
	}
	return head, tail
}

// LastLine returns the last line with something to see in it, without control characters and cut to
// 200 bytes, or "". A carriage return ends a line, so that the last state of a progress bar is
// found.
func (b *LogBuffer) LastLine() string {
	head, tail, left := b.parts()
	if left == 0 {
		tail = append(head, tail...)
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

// printable returns the first 200 bytes of line that can be shown safely.
func printable(line []byte) string {
	const most, enough = 200, 4096 // bytes: what is shown, what is looked at
	if len(line) > enough {
		line, _ = wholeCharacters(line[:enough], nil)
	}

	// a byte less would be the name of another file
	text := strings.ToValidUTF8(string(line), "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, term.Plain(text))

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
