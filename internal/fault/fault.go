// Package fault classifies errors by their owner. Every error that a worker meets belongs to the
// stage, to the worker, or to the infrastructure: Redis, another store of values, and the network
// to them. Only an error of the stage may fail the stage.
package fault

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Owner says who is responsible for an error.
type Owner int

// The owners. An error without a mark is the stage's: a handler may return any error, such as a
// connection that its own service refused.
const (
	Stage Owner = iota
	Worker
	Infrastructure
)

// String returns the owner as error texts name it.
func (o Owner) String() string {
	switch o {
	case Worker:
		return "the worker"
	case Infrastructure:
		return "the infrastructure"
	}
	return "the stage"
}

// Marks of errors that do not belong to the stage.
var (
	// ErrWorker is in the chain of an error of the worker: it cannot execute any stage now.
	ErrWorker = errors.New("the worker cannot execute commands")
	// ErrInfrastructure is in the chain of an error of Redis, of another store of values, or of the
	// network to them.
	ErrInfrastructure = errors.New("values cannot be reached")
)

// ErrNoRetry is in the chain of an error after which the stage must not be executed again, however
// many retries it has left.
var ErrNoRetry = errors.New("not to be retried")

// NoRetry wraps err so that errors.Is(err, ErrNoRetry) is true. The text stays the same.
// NoRetry(nil) is nil.
func NoRetry(err error) error {
	if err == nil {
		return nil
	}
	return noRetry{err}
}

type noRetry struct{ error }

func (e noRetry) Unwrap() error        { return e.error }
func (e noRetry) Is(target error) bool { return target == ErrNoRetry }

// OwnerOf returns the owner of err.
func OwnerOf(err error) Owner {
	switch {
	case errors.Is(err, ErrWorker):
		return Worker
	case errors.Is(err, ErrInfrastructure):
		return Infrastructure
	}
	return Stage
}

// exhausted are the errors of system calls for which the process or its machine has no resources.
var exhausted = []error{
	syscall.EMFILE, syscall.ENFILE, // descriptors
	syscall.EAGAIN, syscall.ENOMEM, // of fork: processes, memory
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, // disk
}

// Exhausted reports whether err says that the process or its machine has run out of descriptors,
// processes, memory or disk. If this happens while a worker makes a workspace or starts a process,
// the error belongs to the worker.
func Exhausted(err error) bool {
	return slices.ContainsFunc(exhausted, func(target error) bool { return errors.Is(err, target) })
}

// refusals are the prefixes of replies with which Redis refuses a request that may succeed later.
var refusals = []string{
	"LOADING ", "BUSY ", // it starts; it executes a script
	// it is a replica; its primary or its replicas are unreachable
	"READONLY ", "MASTERDOWN ", "NOREPLICAS ",
	"MISCONF ", "OOM ", // its disk or memory is full
	"CLUSTERDOWN ", "TRYAGAIN ", "MOVED ", "ASK ", // slots are being moved
	"NOAUTH ", "WRONGPASS ", "NOPERM ", // passwords or rules are being changed
	"ERR max number of clients reached",
}

// insideScript is the prefix with which Redis 6.2 wraps the error of a command inside a script. The
// error itself follows after ": -".
const insideScript = "ERR Error running script"

// Refused reports whether err is a reply with which Redis refuses a request that may succeed later.
func Refused(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}

	text := reply.Error()
	if strings.HasPrefix(text, insideScript) {
		_, text, _ = strings.Cut(text, ": -")
	}
	return slices.ContainsFunc(refusals, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// broken are the errors of connections and of their pools when a network or a server fails.
var broken = []error{
	io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
	syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
	os.ErrDeadlineExceeded, context.DeadlineExceeded,
	redis.ErrPoolTimeout, redis.ErrPoolExhausted,
}

// noSentinel is the text of the error, without a type, that go-redis returns if no Sentinel
// answers.
const noSentinel = "all sentinels specified in configuration are unreachable"

// Unavailable reports whether err says that a connection is broken, or that its server cannot serve
// now: the same request may succeed later.
//
// It is meant for errors of Redis and of other stores. Errors of handlers always belong to the
// stage.
func Unavailable(err error) bool {
	if err == nil {
		return false
	}

	// A reply proves that the connection works, so only its text counts.
	if reply := redis.Error(nil); errors.As(err, &reply) {
		return Refused(err)
	}
	if slices.ContainsFunc(broken, func(target error) bool { return errors.Is(err, target) }) {
		return true
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}

	// Clients of other stores have their own types of timeouts. An errno has the methods of a
	// net.Error too, but the ones that matter are in broken.
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		_, errno := errors.AsType[syscall.Errno](err)
		return !errno
	}

	return strings.Contains(err.Error(), noSentinel)
}
