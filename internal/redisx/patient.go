package redisx

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// go-redis sets one deadline for a command and one for its reply, however large they are: on a link
// of 500 KB/s a value of 2 MB, or the outputs of a few hundred stages in one reply, would take
// longer than its read timeout of some seconds, and could never pass. A patient connection takes
// the timeout for the longest time without progress instead.
type patient struct {
	net.Conn
	read, write time.Duration // without progress; 0: no deadline is set
	readUntil   time.Time
	// bytes that were written since the last read; a subscription writes and reads at once
	unanswered atomic.Int64
}

const (
	// pieceSize is how much is written within one timeout.
	pieceSize = 64 << 10
	// What was written may still be in buffers on its way: the reply has as much longer as
	// slowestLink needs for it.
	slowestLink = 64 << 10 // bytes a second
	mostOnWay   = 4 << 20  // bytes that buffers hold
)

// SetDeadline implements [net.Conn].
func (p *patient) SetDeadline(t time.Time) error {
	p.read = 0
	p.write = 0
	p.readUntil = time.Time{} // go-redis only takes deadlines away with this
	return p.Conn.SetDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (p *patient) SetReadDeadline(t time.Time) error {
	p.read = 0
	if !t.IsZero() {
		p.read = time.Until(t)
		if onWay := p.unanswered.Swap(0); onWay > pieceSize {
			t = t.Add(time.Second * time.Duration(min(onWay, mostOnWay)) / slowestLink)
		}
	}

	p.readUntil = t
	return p.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements [net.Conn].
func (p *patient) SetWriteDeadline(t time.Time) error {
	p.write = 0
	if !t.IsZero() {
		p.write = time.Until(t)
	}
	return p.Conn.SetWriteDeadline(t)
}

// Read implements [net.Conn]. What follows may take as long as the first byte.
func (p *patient) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if n > 0 && err == nil && p.read > 0 {
		// Most replies are read at once: only one that is late already moves the deadline.
		if now := time.Now(); p.readUntil.Sub(now) < p.read/2 {
			p.readUntil = now.Add(p.read)
			err = p.Conn.SetReadDeadline(p.readUntil)
		}
	}

	return n, err
}

// Write implements [net.Conn].
func (p *patient) Write(b []byte) (written int, err error) {
	for {
		piece := b[written:min(len(b), written+pieceSize)]
		n, err := p.Conn.Write(piece)
		written += n
		p.unanswered.Add(int64(n))
		if err != nil || written == len(b) {
			return written, err
		}

		if p.write > 0 {
			if err := p.Conn.SetWriteDeadline(time.Now().Add(p.write)); err != nil {
				return written, err
			}
		}
	}
}

// SyscallConn implements [syscall.Conn]: with it go-redis sees whether an idle connection was
// closed.
func (p *patient) SyscallConn() (syscall.RawConn, error) {
	if conn, ok := p.Conn.(syscall.Conn); ok {
		return conn.SyscallConn()
	}
	return nil, os.ErrInvalid
}

// patiently returns a dialer of patient connections, encrypted if config is not nil. The timeout is
// for the TLS handshake too, which go-redis' own dialer does not stop when its context is done.
func patiently(dial dialFunc, config *tls.Config, timeout time.Duration) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}

		conn = &patient{Conn: conn}
		if config == nil {
			return conn, nil
		}

		return handshake(ctx, conn, addr, config)
	}
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// handshake does what [tls.Dialer] does with a connection that it has made.
func handshake(ctx context.Context, conn net.Conn, addr string, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		config = config.Clone()
		config.ServerName = host
	}

	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}

	return encrypted, nil
}
