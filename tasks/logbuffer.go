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

// DefaultLogLimit is the default of how many bytes of an attempt's output a [LogBuffer] keeps: 64
// KiB.
const DefaultLogLimit = 64 << 10

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
	kept := min(b.limit/4-len(b.head), len(p))
	b.head = append(b.head, p[:kept]...)
	b.keepLast(p[kept:], b.limit-b.limit/4)
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

// parts returns copies of the kept text before and after the bytes left out.
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

// wholeCharacters removes incomplete characters from the end of head and the start of tail.
// Otherwise the rest of a UTF-8 text would not be valid.
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

// LastLine returns the last line with printable characters, without control characters and cut to
// 200 bytes, or "". A carriage return ends a line too, so that the last state of a progress bar is
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

// printable returns the first 200 bytes of the line that a terminal can show.
func printable(line []byte) string {
	// A line may have gigabytes, and only its first bytes are shown. Escape sequences, which are
	// removed, can be many times as long.
	const most, enough = 200, 4096
	if len(line) > enough {
		line, _ = wholeCharacters(line[:enough], nil)
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
