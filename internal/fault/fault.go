// Package fault tells whose fault an error is. Every error that a worker meets belongs to the
// stage, to the worker, or to the infrastructure: Redis, another store of values, and the network
// to them. Only the first may fail a stage.
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

// Owner is whose fault an error is.
type Owner int

// The owners. An error that nobody has marked is the stage's: a handler may return whatever it
// likes, such as a connection refused by a service of its own.
const (
	Stage Owner = iota
	Worker
	Infrastructure
)

// String returns the owner as a person writes it.
func (o Owner) String() string {
	switch o {
	case Worker:
		return "the worker"
	case Infrastructure:
		return "the infrastructure"
	}
	return "the stage"
}

// Marks of errors that are not the stage's.
var (
	// ErrWorker is in the chain of an error that is the worker's: it cannot execute stages,
	// whatever they are.
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

// OwnerOf returns whose fault err is.
func OwnerOf(err error) Owner {
	switch {
	case errors.Is(err, ErrWorker):
		return Worker
	case errors.Is(err, ErrInfrastructure):
		return Infrastructure
	}
	return Stage
}

// exhausted are what a system call returns if the process or its machine has run out of something.
var exhausted = []error{
	syscall.EMFILE, syscall.ENFILE, // descriptors
	syscall.EAGAIN, syscall.ENOMEM, // of fork: processes, memory
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, // disk
}

// Exhausted reports whether err says that the process or its machine has run out of descriptors,
// processes, memory or disk. Where a worker makes a workspace or starts a process, that is the
// fault of the worker.
func Exhausted(err error) bool {
	return slices.ContainsFunc(exhausted, func(target error) bool { return errors.Is(err, target) })
}

// refusals are how the replies begin with which a Redis refuses what it may do later.
var refusals = []string{
	"LOADING ", "BUSY ", // it starts; it executes a script
	// it is a replica; its primary or its replicas are away
	"READONLY ", "MASTERDOWN ", "NOREPLICAS ",
	"MISCONF ", "OOM ", // its disk or memory is full
	"CLUSTERDOWN ", "TRYAGAIN ", "MOVED ", "ASK ", // slots are being moved
	"NOAUTH ", "WRONGPASS ", "NOPERM ", // passwords or rules are being changed
	"ERR max number of clients reached",
}

// insideScript is how Redis 6.2 begins a reply that a command gave inside a script. The reply
// itself follows behind ": -".
const insideScript = "ERR Error running script"

// Refused reports whether err is a reply with which Redis refuses what it may do later.
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

// broken are what connections and pools of connections return when a network, or what is behind it,
// fails.
var broken = []error{
	io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
	syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
	os.ErrDeadlineExceeded, context.DeadlineExceeded,
	redis.ErrPoolTimeout, redis.ErrPoolExhausted,
}

// noSentinel is what go-redis returns without a type when no Sentinel answers.
const noSentinel = "all sentinels specified in configuration are unreachable"

// Unavailable reports whether err says that a connection is broken, or that what is behind it
// cannot serve now: the same request may succeed later.
//
// The caller asks about errors of Redis and of other stores only. Others, such as those of
// handlers, belong to the stage whatever they are.
func Unavailable(err error) bool {
	if err == nil {
		return false
	}

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

	// Clients of other stores have types of their own. An errno has the methods of a net.Error too,
	// and what it says is above.
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		_, errno := errors.AsType[syscall.Errno](err)
		return !errno
	}

	return strings.Contains(err.Error(), noSentinel)
}
