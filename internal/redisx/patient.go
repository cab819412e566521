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

// patient is a connection whose timeouts limit the time without progress.
//
// go-redis sets one deadline for a command and one for its reply, however large they are. On a link
// of 500 KB/s, a value of 2 MB takes longer than its read timeout of some seconds, and could never
// pass. The same holds for the outputs of a few hundred stages in one reply.
type patient struct {
	net.Conn
	read, write time.Duration // without progress; 0: no deadline is set
	readUntil   time.Time
	// unanswered is the number of bytes written since the last read. It is atomic because a
	// subscription writes and reads at the same time.
	unanswered atomic.Int64
}

const (
	// pieceSize is how much is written within one timeout.
	pieceSize = 64 << 10
	// Written bytes may still be in buffers of the system and the network. The reply gets the time
	// that the slowest link needs for them.
	slowestLink  = 64 << 10 // bytes a second
	maxInTransit = 4 << 20  // bytes that buffers hold
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
		if inTransit := p.unanswered.Swap(0); inTransit > pieceSize {
			t = t.Add(time.Second * time.Duration(min(inTransit, maxInTransit)) / slowestLink)
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

// Read implements [net.Conn]. Each further part of a reply may take as long as the first.
func (p *patient) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if n > 0 && err == nil && p.read > 0 {
		// Most replies arrive in one part. To set a deadline costs time, so only a reply that is
		// late already moves it.
		if now := time.Now(); p.readUntil.Sub(now) < p.read/2 {
			p.readUntil = now.Add(p.read)
			err = p.Conn.SetReadDeadline(p.readUntil)
		}
	}

	return n, err
}

// Write implements [net.Conn].
func (p *patient) Write(b []byte) (written int, err error) {
	// In pieces, each with a full timeout: a single write of a large value has one deadline, and
	// does not tell how far it has come.
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

// patiently returns a dialer of patient connections, encrypted if config is not nil.
func patiently(dial dialFunc, config *tls.Config, timeout time.Duration) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		// The timeout covers the TLS handshake too, which go-redis' dialer does not stop when its
		// context is done.
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

// handshake starts TLS on a connection, as [tls.Dialer] does.
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
