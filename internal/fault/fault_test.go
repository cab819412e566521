package fault_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fault"
)

// reply is an error that Redis has answered.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

var _ redis.Error = reply("")

func dial(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

func read(err error) error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
}

func TestUnavailable(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":            {nil, false},
		"refused":            {dial(syscall.ECONNREFUSED), true},
		"no socket":          {dial(syscall.ENOENT), true},
		"reset":              {read(syscall.ECONNRESET), true},
		"reset, bare":        {syscall.ECONNRESET, true},
		"broken pipe":        {&net.OpError{Op: "write", Err: syscall.EPIPE}, true},
		"EOF":                {io.EOF, true},
		"EOF in a reply":     {io.ErrUnexpectedEOF, true},
		"wrapped":            {fmt.Errorf("cache: get: %w", read(syscall.ECONNRESET)), true},
		"joined":             {errors.Join(errors.New("a"), io.EOF), true},
		"i/o timeout":        {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, true},
		"deadline":           {context.DeadlineExceeded, true},
		"timeout, own type":  {&url.Error{Op: "Get", Err: &tooSlow{}}, true},
		"no route":           {dial(syscall.EHOSTUNREACH), true},
		"closed":             {net.ErrClosed, true},
		"no such host":       {dial(&net.DNSError{Err: "no such host", IsNotFound: true}), true},
		"name server":        {&net.DNSError{Err: "server misbehaving"}, true},
		"pool timeout":       {redis.ErrPoolTimeout, true},
		"pool exhausted":     {redis.ErrPoolExhausted, true},
		"no Sentinel":        {errors.New("redis: all sentinels specified in configuration are unreachable"), true},
		"TLS cut off":        {read(io.EOF), true},
		"LOADING":            {reply("LOADING Redis is loading the dataset in memory"), true},
		"READONLY":           {reply("READONLY You can't write against a read only replica."), true},
		"TRYAGAIN":           {reply("TRYAGAIN Multiple keys request during rehashing of slot"), true},
		"CLUSTERDOWN":        {reply("CLUSTERDOWN Hash slot not served"), true},
		"MOVED":              {reply("MOVED 3999 127.0.0.1:6381"), true},
		"ASK":                {reply("ASK 3999 127.0.0.1:6381"), true},
		"MASTERDOWN":         {reply("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."), true},
		"NOREPLICAS":         {reply("NOREPLICAS Not enough good replicas to write."), true},
		"MISCONF":            {reply("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."), true},
		"BUSY":               {reply("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."), true},
		"OOM":                {reply("OOM command not allowed when used memory > 'maxmemory'."), true},
		"OOM in a script":    {reply("OOM command not allowed when used memory > 'maxmemory'. script: f0, on @user_script:1."), true},
		"OOM in one, of 6.2": {reply("ERR Error running script (call to f_e0): @user_script:7: @user_script: 7: -OOM command not allowed when used memory > 'maxmemory'."), true},
		"maxclients":         {reply("ERR max number of clients reached"), true},
		"NOAUTH":             {reply("NOAUTH Authentication required."), true},
		"WRONGPASS":          {reply("WRONGPASS invalid username-password pair or user is disabled."), true},
		"NOPERM":             {reply("NOPERM this user has no permissions to run the 'set' command"), true},
		"wrapped reply":      {fmt.Errorf("run r: %w", reply("OOM command not allowed")), true},

		"cancelled":           {context.Canceled, false},
		"client closed":       {redis.ErrClosed, false},
		"nil reply":           {redis.Nil, false},
		"error in a script":   {reply("ERR Error running script (call to f_e0): @user_script:7: attempt to index a nil value"), false},
		"wrong type":          {reply("WRONGTYPE Operation against a key holding the wrong kind of value"), false},
		"group exists":        {reply("BUSYGROUP Consumer Group name already exists"), false},
		"some error":          {errors.New("the value has no header"), false},
		"a text like a reply": {errors.New("OOM of the stage"), false},
		"disk full":           {&fs.PathError{Op: "write", Path: "v", Err: syscall.ENOSPC}, false},
		"no descriptors":      {&fs.PathError{Op: "open", Path: "v", Err: syscall.EMFILE}, false},
		"fork":                {&os.PathError{Op: "fork/exec", Path: "sh", Err: syscall.EAGAIN}, false},
		"certificate":         {&tls.CertificateVerificationError{Err: errors.New("expired")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fault.Unavailable(test.err); got != test.want {
				t.Errorf("Unavailable(%v) = %t, want %t", test.err, got, test.want)
			}
		})
	}
}

type tooSlow struct{}

func (*tooSlow) Error() string   { return "too slow" }
func (*tooSlow) Timeout() bool   { return true }
func (*tooSlow) Temporary() bool { return true }

func TestExhausted(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if err := fmt.Errorf("make a workspace: %w", &os.PathError{Op: "mkdir", Path: "/tmp/x", Err: errno}); !fault.Exhausted(err) {
			t.Errorf("Exhausted(%v) = false, want true", err)
		}
	}
	for _, err := range []error{nil, syscall.ENOENT, syscall.EACCES, syscall.ENOEXEC, syscall.E2BIG, syscall.ENAMETOOLONG, errors.New("no space left on device")} {
		if fault.Exhausted(err) {
			t.Errorf("Exhausted(%v) = true, want false", err)
		}
	}
}

func TestOwnerOf(t *testing.T) {
	cause := read(syscall.ECONNRESET)
	for _, test := range []struct {
		err  error
		want fault.Owner
	}{
		{cause, fault.Stage}, // of a service of the stage's own
		{fmt.Errorf("%w: %w", fault.ErrInfrastructure, cause), fault.Infrastructure},
		{fmt.Errorf("input: %w", fmt.Errorf("%w: %w", fault.ErrInfrastructure, cause)), fault.Infrastructure},
		{fmt.Errorf("%w: start: %w", fault.ErrWorker, syscall.EAGAIN), fault.Worker},
		{errors.Join(errors.New("exit status 1"), fault.ErrWorker), fault.Worker},
	} {
		if got := fault.OwnerOf(test.err); got != test.want {
			t.Errorf("OwnerOf(%v) = %s, want %s", test.err, got, test.want)
		}
	}
}
