package redisx

import (
	"errors"
	"strings"
	"testing"

	"github.com/godags/godags/internal/redistest"
)

// As Redis comes, one with TLS wants certificates of its clients as well. This one has a user of
// its own besides.
func TestTLS_UsesCertificateFilesAndAUser(t *testing.T) {
	a := redistest.NewAuthority(t, "server", "client")
	port := redistest.FreePort(t)
	addr := "127.0.0.1:" + port
	startRedis(t, "--bind", "127.0.0.1", "--tls-port", port, "--tls-cert-file", a.Path("server"), "--tls-key-file", a.Path("server-key"),
		"--tls-ca-cert-file", a.Path("ca"), "--user", "default", "off", "--user", "ann", "on", ">s3cr3t", "~*", "&*", "+@all")

	ca, own := "ca="+a.Path("ca"), "cert="+a.Path("client")+"&key="+a.Path("client-key")
	c, err := Open(t.Context(), Config{URL: "rediss://ann:s3cr3t@" + addr + "?" + ca + "&" + own})
	if err != nil {
		t.Fatal(err)
	}
	if c.Note != "Redis "+strings.Fields(c.Note)[1]+" at rediss://"+addr+"/0" {
		t.Error(c.Note)
	}
	if err := errors.Join(c.Client().Set(t.Context(), "k", "v", 0).Err(), c.Close()); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct{ user, options, want string }{
		"unknown authority": {"ann:s3cr3t", own, "certificate signed by unknown authority"},
		// or hangs up before that is read,
		"no certificate of own": {"ann:s3cr3t", ca, "it wants a certificate of ours"},
		"wrong password":        {"ann:s3cr3d", ca + "&" + own, "wrong user name or password"},
	} {
		_, err := Open(t.Context(), Config{URL: "rediss://" + test.user + "@" + addr + "?" + test.options})
		var e *UnreachableError
		if !errors.As(err, &e) || !strings.Contains(e.Reason+e.Fix, test.want) || strings.Contains(err.Error(), "s3cr3") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestTLS_RefusesUnusableCertificateFiles(t *testing.T) {
	a := redistest.NewAuthority(t, "one", "two")
	for url, want := range map[string]error{
		"redis://host?ca=" + a.Path("ca"):                                                  errNoTLS,
		"unix:///tmp/s?cert=" + a.Path("one"):                                              errNoTLS,
		"rediss://host?ca=" + a.Path("none"):                                               errCA,
		"rediss://host?ca=" + a.Path("one-key"):                                            errCA,
		"rediss://host?cert=" + a.Path("one"):                                              errCertificate,
		"rediss://host?cert=" + a.Path("one") + "&key=" + a.Path("two-key"):                errCertificate,
		"rediss-sentinel://h1,h2/main?ca=" + a.Path("ca") + "&cert=" + a.Path("one-key"):   errCertificate,
		"rediss-sentinel://h/main?ca=" + a.Path("ca") + "&sentinel_username=x&colour=blue": errOption,
	} {
		if _, err := parseURL(url); err != want {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
}
