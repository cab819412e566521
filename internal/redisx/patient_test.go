package redisx

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

const timeout = 5 * time.Second // of a command, and of its reply

// slow copies n bytes from one end of a connection to another at a rate in bytes a second.
func slow(to io.Writer, from io.Reader, n, rate int) error {
	const piece = 16 << 10
	for n > 0 {
		time.Sleep(time.Second * piece / time.Duration(rate))
		copied, err := io.CopyN(to, from, int64(min(n, piece)))
		if n -= int(copied); err != nil {
			return err
		}
	}
	return nil
}

// zeros is a reader of zeros without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestPatient_WritesAndReadsWhileThereIsProgress(t *testing.T) {
	const size, rate = 8 << 20, 100 << 10 // 80 s
	synctest.Test(t, func(t *testing.T) {
		ours, its := net.Pipe()
		defer ours.Close()
		defer its.Close()
		p := &patient{Conn: ours}
		redis := make(chan error, 1)
		go func() { redis <- errors.Join(slow(io.Discard, its, size, rate), slow(its, zeros{}, size, rate)) }()
		if err := p.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Write(make([]byte, size)); n != size || err != nil {
			t.Fatalf("written: %d, %v; want all", n, err)
		}
		if err := p.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(p, make([]byte, size)); err != nil {
			t.Fatalf("read: %d, %v; want all", n, err)
		}
		if err := <-redis; err != nil {
			t.Error(err)
		}
	})
}

func TestPatient_GivesUpWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, its := net.Pipe()
		defer ours.Close()
		defer its.Close()
		p := &patient{Conn: ours}
		begin := time.Now()
		if err := p.SetWriteDeadline(begin.Add(timeout)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte("PING")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != timeout {
			t.Errorf("a write ends after %s with %v, want a time-out after %s", time.Since(begin), err, timeout)
		}
		begin = time.Now()
		if err := p.SetReadDeadline(begin.Add(timeout)); err != nil {
			t.Fatal(err)
		}
		go its.Write([]byte("$1000"))
		if _, err := io.ReadFull(p, make([]byte, 1000)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) > 2*timeout {
			t.Errorf("a read ends after %s with %v, want a time-out", time.Since(begin), err)
		}
	})
}

// What was written may still be on its way when go-redis begins to wait for the reply.
func TestPatient_WaitsLongerForTheReplyToALargeCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, its := net.Pipe()
		defer ours.Close()
		defer its.Close()
		p := &patient{Conn: ours}
		go func() {
			io.CopyN(io.Discard, its, 1<<20)
			time.Sleep(2 * timeout)
			its.Write([]byte("+OK\r\n"))
		}()
		if _, err := p.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if err := p.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Read(make([]byte, 100)); n != 5 || err != nil {
			t.Errorf("read: %d, %v; want the reply", n, err)
		}
	})
}
