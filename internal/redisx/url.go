package redisx

import (
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// dialTimeout bounds one attempt to connect, with its TLS handshake.
const dialTimeout = 3 * time.Second

// keepAlive finds out within a minute that the host of an idle connection is gone.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}

// allowPlaintext is the environment variable that permits a password to leave
// this machine unencrypted.
const allowPlaintext = "GODAGS_ALLOW_PLAINTEXT"

// socketName is the name of a unix socket in its folder.
const socketName = "redis.sock"

// URLError is a Redis URL that cannot be used. Its text never holds any part
// of the URL: what cannot be parsed may be a password anywhere.
type URLError struct {
	Reason string
}

func (e *URLError) Error() string {
	return "the Redis URL cannot be used: " + e.Reason
}

const wantURL = "; want redis://user:password@host:port/db, rediss://... (TLS), unix:///path/to/socket?db=0 or redis-sentinel://user:password@host:port,host:port/name/db"

// Reasons of a URLError.
var (
	errScheme      = &URLError{"it does not start with redis://, rediss://, unix://, redis-sentinel:// or rediss-sentinel://" + wantURL}
	errSyntax      = &URLError{"it cannot be parsed; in a user name or password write @ as %40, / as %2F, ? as %3F, # as %23 and % as %25"}
	errUnixHost    = &URLError{"a unix socket needs an absolute path and so three slashes: unix:///path/to/socket"}
	errPort        = &URLError{"the port is not a number from 1 to 65535" + wantURL}
	errOption      = &URLError{"the database is not a number, or a ?option is unknown or has a wrong value" + wantURL}
	errPrimary     = &URLError{"the hosts of the Sentinels or the name of the primary are missing: redis-sentinel://host:26379,host2:26379/name"}
	errNoTLS       = &URLError{"?ca, ?cert and ?key are for TLS: write rediss:// in place of redis://"}
	errCA          = &URLError{"the file of ?ca cannot be read, or has no certificate in it; want a PEM file"}
	errCertificate = &URLError{"the files of ?cert and ?key cannot be read, or do not belong together; want two PEM files"}
	errMasked      = &URLError{"its password is ***, as in recommended commands: replace it with the password"}
	errPlain       = &URLError{"it would send the password unencrypted to another machine; use rediss:// (TLS), or set " + allowPlaintext + "=1 if the network is trusted"}
)

// parseURL returns the Redis at raw, or a *URLError.
func parseURL(raw string) (target, error) {
	// url.Parse refuses several hosts.
	if scheme, rest, _ := strings.Cut(raw, "-sentinel://"); scheme == "redis" || scheme == "rediss" {
		return parseSentinels(scheme, rest)
	}

	u, err := url.Parse(raw)
	if err != nil && strings.Contains(raw, "://") {
		return target{}, errSyntax
	}
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix") {
		return target{}, errScheme
	}
	if err := checkShape(u); err != nil {
		return target{}, err
	}

	// Its errors are not shown: they may repeat a password. Each check has a reason of its kind.
	files := takeCertificates(u)
	o, err := redis.ParseURL(u.String())
	if err != nil || o.DB < 0 {
		return target{}, errOption
	}
	if err := files.apply(o.TLSConfig); err != nil {
		return target{}, err
	}
	if o.Password == mask {
		return target{}, errMasked
	}

	t := target{Options: tune(o)}
	if t.exposed() && os.Getenv(allowPlaintext) != "1" {
		return target{}, errPlain
	}

	return t, nil
}

// mask stands for a password where one must not be shown.
const mask = "***"

var sentinelPasswords = regexp.MustCompile(`([?&]sentinel_password=)[^&]+`)

// Mask returns the URL of a Redis with *** in place of passwords, and whether it has any.
func Mask(raw string) (masked string, any bool) {
	// Not by url.Parse, which cannot read several hosts, and would write the other parts anew.
	masked = sentinelPasswords.ReplaceAllString(raw, "${1}"+mask)
	scheme, rest, _ := strings.Cut(masked, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}

	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		if user, password, _ := strings.Cut(rest[:at], ":"); password != "" {
			masked = scheme + "://" + user + ":" + mask + rest[at:]
		}
	}

	return masked, masked != raw
}

// checkShape refuses URLs that go-redis would misread, such as the tail of an unescaped password as
// the host.
func checkShape(u *url.URL) error {
	if u.Opaque != "" {
		return errScheme
	}

	// An '@' behind the host, or a fragment, is what an unescaped '/', '?' or '#' in a password
	// makes.
	afterHost := u.EscapedPath() + u.RawQuery
	stray := strings.Contains(afterHost, "@") && (u.User != nil || u.Scheme != "unix")
	if stray || u.Fragment != "" {
		return errSyntax
	}

	if u.Scheme == "unix" {
		if u.Host != "" || u.Path == "" {
			return errUnixHost
		}
		return nil
	}

	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errPort
		}
	}

	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || (ip != nil && ip.IsLoopback())
}

// tune sets what the URL cannot say or has left open.
func tune(o *redis.Options) *redis.Options {
	// RESP2 works everywhere and needs no push handling on each connection.
	if o.Protocol == 0 {
		o.Protocol = 2
	}

	if o.DialTimeout == 0 {
		o.DialTimeout = dialTimeout
	}

	// One dial per attempt: go-redis retries the whole command besides, and
	// 5 dials x 4 attempts would hide a dead host for a minute.
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true

	// These two cost a round trip each on every new connection.
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if o.Dialer == nil {
		o.Dialer = patiently((&net.Dialer{KeepAliveConfig: keepAlive}).DialContext, o.TLSConfig, o.DialTimeout)
	}
	return o
}

// socketURL is the URL of a Redis at a unix socket.
func socketURL(path string) string {
	return (&url.URL{Scheme: "unix", Path: path}).String()
}
