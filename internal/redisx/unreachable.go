package redisx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fault"
)

// UnreachableError reports a Redis that cannot be used.
type UnreachableError struct {
	URL    string // without user and password; "" if no address was tried
	Reason string // in plain words
	Fix    string // what to do
	Log    string // the end of the log of a private redis-server, or ""
	Err    error  // the cause; its own text may hold what Reason leaves out
}

func (e *UnreachableError) Error() string {
	var b strings.Builder
	b.WriteString("cannot use Redis")
	if e.URL != "" {
		b.WriteString(" at " + e.URL)
	}

	b.WriteString(": " + e.Reason + "; " + e.Fix)
	if e.Log != "" {
		b.WriteString("\nthe end of its log:\n" + e.Log)
	}
	return b.String()
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Passing reports whether a Redis that [Open] could not use may become usable by itself.
func Passing(err error) bool {
	if _, unusable := errors.AsType[*UnreachableError](err); !unusable || !fault.Unavailable(err) {
		return false
	}

	// These last until a user changes the URL or the rights.
	return !redis.IsAuthError(err) && !redis.IsPermissionError(err) && !redis.HasErrorPrefix(err, "NOAUTH")
}

// unreachable explains why the Redis of o could not be used.
func unreachable(t target, err error) error {
	e := &UnreachableError{URL: t.redacted(), Err: err}
	var dns *net.DNSError
	var old tooOldError
	switch {
	case errors.As(err, &old):
		e.Reason = old.Error()
		e.Fix = "upgrade it, or name another with --redis or REDIS_URL"
	case errors.Is(err, errPlain):
		e.Reason = "the primary is on another machine, and " + errPlain.Reason
		e.Fix = "or do without a password"
	case t.sentinels != nil && errors.Is(err, redis.Nil):
		e.Reason = fmt.Sprintf("the Sentinels know no primary of the name %q", t.primary)
		e.Fix = "check the name in the URL"
	case errors.As(err, &dns):
		e.Reason = "no such host"
		e.Fix = "check the host name in the URL"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		e.Reason = "connection refused: nothing listens there"
		e.Fix = "start a Redis there, or leave out --redis and REDIS_URL to use a private one"
	case errors.Is(err, fs.ErrPermission):
		e.Reason = "no permission for the socket"
		e.Fix = "run as a user who may read and write it"
	default:
		if !e.explainReply(err) && !e.explainTransport(err, t.TLSConfig != nil) {
			e.Reason = scrub(scrub(err.Error(), t.Password), t.sentinelPassword)
			e.Fix = "check the URL; the command doctor tells more"
		}
	}

	return e
}

// explainReply explains an error that Redis itself returned.
func (e *UnreachableError) explainReply(err error) bool {
	switch {
	case redis.HasErrorPrefix(err, "NOAUTH"):
		e.Reason = "it wants a password"
		e.Fix = "put it in the URL: redis://user:password@host:port/db"
	case redis.IsAuthError(err):
		e.Reason = "wrong user name or password"
		e.Fix = "check both in the URL"
	case redis.IsPermissionError(err):
		e.Reason = "this user may not even PING"
		e.Fix = "give it the rights of a queue worker: ACL SETUSER name ~* &* +@all -@dangerous +info"
	case redis.IsLoadingError(err):
		e.Reason = "it is still LOADING its data set after " + loadTimeout.String()
		e.Fix = "try again when it is ready"
	case redis.IsMaxClientsError(err):
		e.Reason = "it has no connection left"
		e.Fix = "raise its maxclients, or stop some of its clients"
	case redis.HasErrorPrefix(err, "DENIED"):
		e.Reason = "it is in protected mode and accepts no connection from other machines"
		e.Fix = "set a password there (requirepass), then put it in the URL"
	default:
		return false
	}

	return true
}

// explainTransport explains a connection without an answer of Redis.
func (e *UnreachableError) explainTransport(err error, encrypted bool) bool {
	// If only one side speaks TLS, both wait for each other, or the server closes the connection.
	// Neither error names TLS, so all those cases get a hint.
	hint := "if it expects TLS, write rediss:// in place of redis://"
	if encrypted {
		hint = "if it does not use TLS, write redis:// in place of rediss://; if it wants a certificate of ours, name two files in the URL: ?cert=/path/cert.pem&key=/path/key.pem"
	}

	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.As(err, &record):
		e.Reason = "TLS: it answers without TLS"
		e.Fix = hint
	case strings.Contains(err.Error(), "tls: certificate required"):
		e.Reason = "TLS: it wants a certificate of ours"
		e.Fix = hint
	case errors.As(err, &certificate):
		e.Reason = "TLS: " + certificate.Err.Error()
		e.Fix = "name the file of its authority in the URL: ?ca=/path/ca.pem"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &network) && network.Timeout():
		e.Reason = "no answer (waited up to " + answerTimeout.String() + ")"
		e.Fix = "check the address and whether Redis hangs; " + hint
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.Reason = "it closed the connection without an answer"
		e.Fix = hint
	case strings.HasPrefix(err.Error(), "redis: can't parse"):
		e.Reason = "what answers there is not Redis"
		e.Fix = "check host and port"
	default:
		return false
	}

	return true
}

// scrub removes a password from an error text.
func scrub(text, password string) string {
	// Some servers repeat the arguments of an unknown command, and AUTH may be one.
	if password == "" {
		return text
	}
	return strings.ReplaceAll(text, password, "***")
}
