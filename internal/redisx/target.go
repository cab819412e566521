package redisx

import (
	"context"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// target is a Redis to connect to: one at an address, or the one that Sentinels name as the
// primary.
type target struct {
	*redis.Options
	sentinels []string // host:port; nil without Sentinels
	primary   string   // its name among the Sentinels

	sentinelUser, sentinelPassword string // of the Sentinels themselves
}

// client returns a new client. With Sentinels it follows the primary wherever that goes.
func (t target) client() *redis.Client {
	if t.sentinels == nil {
		return redis.NewClient(t.Options)
	}

	o := t.Options
	return redis.NewFailoverClient(&redis.FailoverOptions{
		// A copy, because go-redis sorts the addresses in place.
		MasterName: t.primary, SentinelAddrs: append([]string(nil), t.sentinels...),
		SentinelUsername: t.sentinelUser, SentinelPassword: t.sentinelPassword,
		Dialer: o.Dialer, Protocol: o.Protocol, Username: o.Username, Password: o.Password, DB: o.DB, ClientName: o.ClientName,
		MaxRetries: o.MaxRetries, MinRetryBackoff: o.MinRetryBackoff, MaxRetryBackoff: o.MaxRetryBackoff,
		DialTimeout: o.DialTimeout, DialerRetries: o.DialerRetries, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		ContextTimeoutEnabled: o.ContextTimeoutEnabled, PoolFIFO: o.PoolFIFO, PoolSize: o.PoolSize, PoolTimeout: o.PoolTimeout,
		MinIdleConns: o.MinIdleConns, MaxIdleConns: o.MaxIdleConns, MaxActiveConns: o.MaxActiveConns,
		ConnMaxIdleTime: o.ConnMaxIdleTime, ConnMaxLifetime: o.ConnMaxLifetime, TLSConfig: o.TLSConfig, DisableIdentity: o.DisableIdentity,
	})
}

// redacted returns the URL for output: without users, passwords and options.
func (t target) redacted() string {
	scheme := "redis"
	db := strconv.Itoa(t.DB)
	if t.TLSConfig != nil {
		scheme = "rediss"
	}

	switch {
	case t.sentinels != nil:
		return scheme + "-sentinel://" + strings.Join(t.sentinels, ",") + "/" + url.PathEscape(t.primary) + "/" + db
	case t.Network == "unix":
		return socketURL(t.Addr) + "?db=" + db
	}

	return scheme + "://" + t.Addr + "/" + db
}

// exposed reports whether a password goes to another machine without TLS, as far as the URL tells.
func (t target) exposed() bool {
	addresses := t.sentinels
	if addresses == nil {
		addresses = []string{t.Addr}
	}

	// Sentinels say only later where the primary is: see guard.
	return t.Password != "" && t.TLSConfig == nil && t.Network == "tcp" && slices.ContainsFunc(addresses, func(addr string) bool {
		host, _, err := net.SplitHostPort(addr)
		return err != nil || !isLoopback(host)
	})
}

// sentinelPort is where Sentinels listen unless told otherwise.
const sentinelPort = ":26379"

// parseSentinels parses the part of a URL with Sentinels after its scheme:
// [user:password@]host[:port],.../name[/db][?options].
func parseSentinels(scheme, rest string) (t target, err error) {
	authority, path, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut(path, "?")
	user := ""
	hosts := authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user = authority[:at+1]
		hosts = authority[at+1:]
	}

	name, db, _ := strings.Cut(path, "/")
	if t.primary, err = url.PathUnescape(name); err != nil || strings.ContainsAny(path, "@#") {
		return target{}, errSyntax
	}
	if t.primary == "" || hosts == "" {
		return target{}, errPrimary
	}

	options, err := url.ParseQuery(query)
	if err != nil {
		return target{}, errOption
	}

	t.sentinelUser, t.sentinelPassword = options.Get("sentinel_username"), options.Get("sentinel_password")
	if t.sentinelPassword == mask {
		return target{}, errMasked
	}

	options.Del("sentinel_username")
	options.Del("sentinel_password")

	// Each host makes a URL of the usual form, so that the same rules hold for all parts.
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			return target{}, errPrimary
		}

		if strings.LastIndex(host, ":") <= strings.LastIndex(host, "]") {
			host += sentinelPort
		}

		one, err := parseURL(scheme + "://" + user + host + "/" + db + "?" + options.Encode())
		if err != nil {
			return target{}, err
		}

		t.Options = one.Options
		t.sentinels = append(t.sentinels, one.Addr)
	}

	t.guard()
	return t, nil
}

// guard makes every connection pass the checks of the URL.
func (t *target) guard() {
	if t.TLSConfig != nil {
		t.TLSConfig.ServerName = "" // each address is verified by its own name
		return
	}

	if t.Password == "" && t.sentinelPassword == "" || os.Getenv(allowPlaintext) == "1" {
		return
	}

	// The Sentinels name the primary when a connection is made. An address that was fine when the
	// URL was parsed tells nothing about the next primary.
	dial := t.Dialer
	t.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(addr); err != nil || !isLoopback(host) {
			return nil, errPlain
		}
		return dial(ctx, network, addr)
	}
}
