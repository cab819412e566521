package faults

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxy is the network between a program and Redis.
type proxy struct {
	target   string // a unix socket
	listener net.Listener
	wait     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	// by direction: closed when what was held back may go on; nil while nothing is
	held   [2]chan struct{}
	delay  func() time.Duration // of each piece in either direction; nil for none
	rate   int                  // bytes a second of each connection in each direction; 0: no limit
	resets float64              // how likely a piece is to break its connection
	watch  string               // requests with this text are counted
	count  int
	trap   bool // the first request with this text is held back, and all after it
}

type direction int

const (
	up   direction = iota // to Redis
	down                  // from it
)

// newProxy listens on a port until the test ends.
func newProxy(t *testing.T, redisURL string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: strings.TrimPrefix(redisURL, "unix://"), listener: listener, conns: make(map[net.Conn]bool)}
	p.wait.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// url is where programs find Redis.
func (p *proxy) url() string { return "redis://" + p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // it is closed
		}
		redis, err := net.Dial("unix", p.target)
		if err != nil {
			conn.Close() // as if no server listened
			continue
		}
		p.mu.Lock()
		p.conns[conn], p.conns[redis] = true, true
		if p.closed {
			conn.Close()
			redis.Close()
		}
		p.mu.Unlock()
		p.wait.Go(func() { p.pump(up, conn, redis) })
		p.wait.Go(func() { p.pump(down, redis, conn) })
	}
}

// pump carries pieces in one direction until one end closes.
func (p *proxy) pump(d direction, from, to net.Conn) {
	defer p.drop(from, to)
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if err != nil || !p.let(d, piece[:n]) {
			return
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(p.conns, c)
	}
}

// let waits until a piece may pass. It is false if its connection breaks.
func (p *proxy) let(d direction, piece []byte) bool {
	p.mu.Lock()
	if d == up && p.watch != "" && bytes.Contains(piece, []byte(p.watch)) {
		if p.count++; p.trap && p.held[up] == nil {
			p.held[up] = make(chan struct{})
		}
	}
	held, delay, broken := p.held[d], time.Duration(0), rand.Float64() < p.resets
	if p.delay != nil {
		delay = p.delay()
	}
	if p.rate > 0 {
		delay += time.Second * time.Duration(len(piece)) / time.Duration(p.rate)
	}
	p.mu.Unlock()
	time.Sleep(delay)
	if held != nil {
		<-held
	}
	return !broken
}

// slow delays every piece and breaks connections.
func (p *proxy) slow(delay func() time.Duration, resets float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.resets = delay, resets
}

// limit makes a slow link of every connection.
func (p *proxy) limit(rate int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = rate
}

// cut holds back everything in the given directions, as a network does that loses packets, until it
// is healed.
func (p *proxy) cut(directions ...direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range directions {
		if p.held[d] == nil {
			p.held[d] = make(chan struct{})
		}
	}
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for d, held := range p.held {
		if held != nil {
			close(held)
			p.held[d] = nil
		}
	}
	p.trap = false
}

// reset breaks all connections.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// look counts requests with a text from now on. With a trap the first of them does not reach Redis,
// nor anything after it.
func (p *proxy) look(text string, trap bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch, p.count, p.trap = text, 0, trap
}

func (p *proxy) seen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.heal()
	p.reset()
	p.wait.Wait()
}

func TestTheProxyPassesOnAndHoldsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := newProxy(t, w.redis.URL())
	conn, err := net.Dial("tcp", p.listener.Addr().String())
	w.must(err)
	ask := func(text string, patience time.Duration) string {
		io.WriteString(conn, text)
		conn.SetReadDeadline(time.Now().Add(patience))
		answer := make([]byte, 100)
		n, _ := conn.Read(answer)
		return string(answer[:n])
	}
	if got := ask("PING\r\n", limit); got != "+PONG\r\n" {
		t.Fatalf("it passes %q", got)
	}
	p.look("two", true)
	for _, request := range []string{"INCR two\r\n", "INCR one\r\n"} {
		if got := ask(request, 200*time.Millisecond); got != "" {
			t.Errorf("after %s it passes %q", request, got)
		}
	}
	if p.seen() != 1 {
		t.Errorf("it has seen %d", p.seen())
	}
	p.heal()
	w.await("both requests", func() bool { return w.rdb.Get(t.Context(), "one").Val()+w.rdb.Get(t.Context(), "two").Val() == "11" })
	p.cut(down)
	if got := ask("INCR one\r\n", 200*time.Millisecond); strings.HasSuffix(got, "2\r\n") {
		t.Errorf("a reply passes: %q", got)
	}
	w.await("the request", func() bool { return w.rdb.Get(t.Context(), "one").Val() == "2" })
	p.reset()
	conn.SetReadDeadline(time.Now().Add(limit))
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a reset does not end the connection")
	}
}
