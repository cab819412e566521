package redisx

import (
	"net"
	"sync"
	"time"
)

// buffered is a connection whose writes do not wait for the other side to read.
//
// A pipe in memory has no buffer. A client that sends many commands at once, and a server that
// answers the first of them, would wait for each other for ever.
type buffered struct {
	net.Conn
	writer sync.WaitGroup

	mu     sync.Mutex
	more   sync.Cond // buf has data, or the connection was closed
	buf    []byte
	err    error // of the last write
	closed bool
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c}
	b.more.L = &b.mu
	b.writer.Go(b.write)
	return b
}

// Write takes all of data, or none: then it returns the error of an earlier write.
func (b *buffered) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return 0, b.err
	case b.closed:
		return 0, net.ErrClosed
	}

	b.buf = append(b.buf, data...)
	b.more.Signal()
	return len(data), nil
}

// write sends written data until the connection is closed.
func (b *buffered) write() {
	b.mu.Lock()
	defer b.mu.Unlock()

	// Two buffers take turns, so that a busy connection allocates nothing. The lock is released
	// during a write: that is when Write must not wait.
	var spare []byte
	for {
		for len(b.buf) == 0 && !b.closed {
			b.more.Wait()
		}

		if b.closed {
			return
		}

		data := b.buf
		b.buf = spare[:0]
		b.mu.Unlock()
		_, err := b.Conn.Write(data)
		b.mu.Lock()
		if spare = data; err != nil {
			b.err = err
			return
		}
	}
}

// SetWriteDeadline does nothing: writes do not wait.
func (b *buffered) SetWriteDeadline(time.Time) error { return nil }

// Close closes the connection. Data that was not sent yet is lost.
func (b *buffered) Close() error {
	b.mu.Lock()
	b.closed = true
	b.more.Signal()
	b.mu.Unlock()

	// The writer may be inside a write, which only the end of the connection interrupts.
	err := b.Conn.Close()
	b.writer.Wait()
	return err
}
