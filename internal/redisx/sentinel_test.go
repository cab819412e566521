package redisx

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/redistest"
)

func TestParseURL_TakesSentinels(t *testing.T) {
	for url, want := range map[string]string{
		"redis-sentinel://host/main":                               "redis-sentinel://host:26379/main/0",
		"redis-sentinel://u:pw@localhost:1,127.0.0.1,[::1]:2/m/3":  "redis-sentinel://localhost:1,127.0.0.1:26379,[::1]:2/m/3",
		"redis-sentinel://h/a%20b?pool_size=3&sentinel_password=p": "redis-sentinel://h:26379/a%20b/0",
		"rediss-sentinel://u:pw@one,two:7/main/1":                  "rediss-sentinel://one:26379,two:7/main/1",
	} {
		target, err := parseURL(url)
		if err != nil || target.redacted() != want {
			t.Errorf("%s: %v, %v; want %s", url, target, err, want)
		}
		if err == nil && target.TLSConfig != nil && target.TLSConfig.ServerName != "" {
			t.Errorf("%s: all certificates must be of %s", url, target.TLSConfig.ServerName)
		}
	}
	for url, want := range map[string]error{
		"redis-sentinel://":                     errPrimary,
		"redis-sentinel://host":                 errPrimary,
		"redis-sentinel:///main":                errPrimary,
		"redis-sentinel://one,,two/main":        errPrimary,
		"redis-sentinel://host:x/main":          errSyntax,
		"redis-sentinel://host:0/main":          errPort,
		"redis-sentinel://host/main/one":        errOption,
		"redis-sentinel://host/main/0/1":        errOption,
		"redis-sentinel://host/main?colour=1":   errOption,
		"redis-sentinel://u:p@w/x@host/main":    errSyntax,
		"redis-sentinel://u:pw@localhost,far/m": errPlain,
		"unix-sentinel://host/main":             errScheme,
	} {
		if _, err := parseURL(url); err != want {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
}

func TestSentinels_FollowThePrimary(t *testing.T) {
	t.Run("plain", func(t *testing.T) { followThePrimary(t, redistest.StartSentinels(t, nil)) })
	t.Run("TLS", func(t *testing.T) {
		followThePrimary(t, redistest.StartSentinels(t, redistest.NewAuthority(t, "server", "client")))
	})
}

func followThePrimary(t *testing.T, s *redistest.Sentinels) {
	c, err := Open(t.Context(), Config{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	address, _, _ := strings.Cut(s.URL(), "?")
	if !strings.HasSuffix(c.Note, " at "+address+"/0") {
		t.Error(c.Note)
	}
	if err := errors.Join(c.Client().Set(t.Context(), "before", "1", 0).Err(), c.Client().Do(t.Context(), "WAIT", 1, 10_000).Err()); err != nil {
		t.Fatal(err)
	}
	s.FailOver()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for err = errors.New("not tried"); err != nil && ctx.Err() == nil; {
		err = c.Client().Set(ctx, "after", "1", 0).Err()
	}
	if n := c.Client().Exists(ctx, "before", "after").Val(); n != 2 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
	_, err = Open(t.Context(), Config{URL: strings.Replace(s.URL(), "/main", "/other", 1)})
	var e *UnreachableError
	if !errors.As(err, &e) || !strings.Contains(e.Reason, `know no primary of the name "other"`) {
		t.Error(err)
	}
}

// The Sentinels say where the primary is after the URL was found to be harmless.
func TestSentinels_SendNoPasswordToAnotherMachine(t *testing.T) {
	sentinel := fakeRedis(t, func(command string) string {
		switch command {
		case "SENTINEL":
			return "*2\r\n" + bulk("192.0.2.1") + bulk("6379")
		case "HELLO":
			return "-ERR unknown command\r\n"
		}
		return "+OK\r\n"
	})
	_, err := Open(t.Context(), Config{URL: "redis-sentinel://u:pw@" + sentinel + "/main"})
	var e *UnreachableError
	if !errors.As(err, &e) || !strings.Contains(e.Reason, "the primary is on another machine") {
		t.Error(err)
	}
}
