package redisx

import (
	"errors"
	"strings"
	"testing"
)

func TestParseURL_AcceptsURLs(t *testing.T) {
	for _, test := range []struct{ url, network, addr, printed string }{
		{"redis://", "tcp", "localhost:6379", "redis://localhost:6379/0"},
		{"redis://:pw@127.0.0.1:7000/3", "tcp", "127.0.0.1:7000", "redis://127.0.0.1:7000/3"},
		{"redis://u:p%40w@[::1]/", "tcp", "[::1]:6379", "redis://[::1]:6379/0"},
		{"redis://example.org?pool_size=4", "tcp", "example.org:6379", "redis://example.org:6379/0"},
		{"rediss://u:pw@example.org:6380/1", "tcp", "example.org:6380", "rediss://example.org:6380/1"},
		{"unix:///tmp/a%20b/r.sock?db=2", "unix", "/tmp/a b/r.sock", "unix:///tmp/a%20b/r.sock?db=2"},
		{"unix://u:pw@/tmp/r.sock", "unix", "/tmp/r.sock", "unix:///tmp/r.sock?db=0"},
		{"unix:///home/me@work/r.sock", "unix", "/home/me@work/r.sock", "unix:///home/me@work/r.sock?db=0"},
	} {
		o, err := parseURL(test.url)
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		if o.Network != test.network || o.Addr != test.addr || o.redacted() != test.printed {
			t.Errorf("%s: %s %s printed as %s, want %s %s printed as %s",
				test.url, o.Network, o.Addr, o.redacted(), test.network, test.addr, test.printed)
		}
	}
}

func TestParseURL_RefusesURLs(t *testing.T) {
	for _, test := range []struct {
		url  string
		want *URLError
	}{
		{"localhost:6379", errScheme},
		{"http://localhost", errScheme},
		{"redis:localhost:6379", errScheme},
		{"user:pw@localhost", errScheme},
		{"redis://u:p%w@localhost", errSyntax},
		{"redis://u:p#w@localhost", errSyntax},
		{"redis://u:1/w@localhost", errSyntax},
		{"redis://u:1?w@localhost", errSyntax},
		{"redis://host:99999", errPort},
		{"redis://host:0", errPort},
		{"redis://host/one", errOption},
		{"redis://host/-1", errOption},
		{"redis://host/0/1", errOption},
		{"redis://host?colour=red", errOption},
		{"unix://tmp/redis.sock", errUnixHost},
		{"unix://", errUnixHost},
	} {
		_, err := parseURL(test.url)
		var got *URLError
		if !errors.As(err, &got) || got != test.want {
			t.Errorf("%s: %v, want %v", test.url, err, test.want)
		}
	}
}

func TestParseURL_RefusesAPasswordWithoutTLS(t *testing.T) {
	const remote = "redis://u:pw@example.org:6379"
	if _, err := parseURL(remote); err != error(errPlain) {
		t.Errorf("remote password: %v, want a refusal", err)
	}
	for _, fine := range []string{
		"redis://example.org", "rediss://u:pw@example.org",
		"redis://u:pw@localhost", "redis://u:pw@127.1.2.3", "redis://u:pw@[::1]", "unix://u:pw@/tmp/s",
	} {
		if _, err := parseURL(fine); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	t.Setenv(allowPlaintext, "1")
	if target, err := parseURL(remote); err != nil || !target.exposed() {
		t.Errorf("allowed by %s: %v", allowPlaintext, err)
	}
}

// FuzzPasswordIsNeverPrinted puts a secret at any place of a password, escaped
// or not, and looks for it in all that can be printed.
func FuzzPasswordIsNeverPrinted(f *testing.F) {
	for _, around := range []string{"", "@", "/", "#", "?", "%", ":", "@x/0?db=1&client_name=", "1/", "://", "\\", "[", "]"} {
		f.Add(around, "")
		f.Add("", around)
		f.Add(around, around)
	}
	const secret = "s3cr3t"
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, head := range []string{"redis://u:", "redis://:", "rediss://u:", "unix://u:", "u:"} {
			for _, tail := range []string{"@localhost:6379/0", "@example.org?db=1", "@[::1]", "@/tmp/s"} {
				url := head + before + secret + after + tail
				if text := printed(url); strings.Contains(text, secret) {
					t.Fatalf("%q: %s", url, text)
				}
			}
		}
	})
}

// printed is what a user gets to see of a Redis that repeats the password.
func printed(url string) string {
	o, err := parseURL(url)
	if err != nil {
		return err.Error()
	}
	return unreachable(o, errors.New("ERR unknown command AUTH, with args beginning with: "+o.Password)).Error()
}

func TestMask_HidesPasswordsOnly(t *testing.T) {
	for raw, want := range map[string]string{
		"redis://localhost:6379/2?pool_size=3":            "",
		"redis://user@localhost":                          "",
		"unix:///a/b@c?db=1":                              "",
		"redis://:sesame@localhost:6379":                  "redis://:***@localhost:6379",
		"rediss://me:se%40same@h/1?db=1":                  "rediss://me:***@h/1?db=1",
		"unix://:sesame@/run/redis.sock?db=1":             "unix://:***@/run/redis.sock?db=1",
		"redis-sentinel://u:p@h:1,i:2/name/0":             "redis-sentinel://u:***@h:1,i:2/name/0",
		"redis-sentinel://h/n?sentinel_password=x&db=1":   "redis-sentinel://h/n?sentinel_password=***&db=1",
		"redis-sentinel://:p@h/n?a=1&sentinel_password=x": "redis-sentinel://:***@h/n?a=1&sentinel_password=***",
	} {
		got, any := Mask(raw)
		if want == "" && (got != raw || any) || want != "" && (got != want || !any) {
			t.Errorf("%s: got %s, %v, want %s", raw, got, any, want)
		}
		if want == "" {
			continue
		}
		if _, err := parseURL(got); err != errMasked {
			t.Errorf("%s can be used: %v", got, err)
		}
	}
}
