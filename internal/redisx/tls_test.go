package redisx

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/redistest"
)

// authority signs certificates for 127.0.0.1, which it keeps as files.
type authority struct {
	*testing.T
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{T: t, folder: t.TempDir()}
	a.cert, a.key = a.make("ca", true)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.folder, name+".pem") }

// make makes the files NAME.pem and NAME-key.pem.
func (a *authority) make(name string, signs bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: signs, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	parent, signer := a.cert, a.key
	if signs {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	a.must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.must(os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	a.must(os.WriteFile(a.path(name+"-key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	cert, err := x509.ParseCertificate(der)
	a.must(err)
	return cert, key
}

func (a *authority) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// As Redis comes, one with TLS wants certificates of its clients as well. This one has a user of its own besides.
func TestTLSWithCertificatesOfOnesOwnAndAUser(t *testing.T) {
	a := newAuthority(t)
	a.make("server", false)
	a.make("client", false)
	port := redistest.FreePort(t)
	addr := "127.0.0.1:" + port
	startRedis(t, "--bind", "127.0.0.1", "--tls-port", port, "--tls-cert-file", a.path("server"), "--tls-key-file", a.path("server-key"),
		"--tls-ca-cert-file", a.path("ca"), "--user", "default", "off", "--user", "ann", "on", ">s3cr3t", "~*", "&*", "+@all")

	ca, own := "ca="+a.path("ca"), "cert="+a.path("client")+"&key="+a.path("client-key")
	c, err := Open(t.Context(), Config{URL: "rediss://ann:s3cr3t@" + addr + "?" + ca + "&" + own})
	if err != nil {
		t.Fatal(err)
	}
	if c.Note != "Redis "+strings.Fields(c.Note)[1]+" at rediss://"+addr+"/0" {
		t.Error(c.Note)
	}
	a.must(c.Client().Set(t.Context(), "k", "v", 0).Err())
	a.must(c.Close())

	for name, test := range map[string]struct{ user, options, want string }{
		"unknown authority":     {"ann:s3cr3t", own, "certificate signed by unknown authority"},
		"no certificate of own": {"ann:s3cr3t", ca, "it wants a certificate of ours"}, // or hangs up before that is read,
		"wrong password":        {"ann:s3cr3d", ca + "&" + own, "wrong user name or password"},
	} {
		_, err := Open(t.Context(), Config{URL: "rediss://" + test.user + "@" + addr + "?" + test.options})
		var e *UnreachableError
		if !errors.As(err, &e) || !strings.Contains(e.Reason+e.Fix, test.want) || strings.Contains(err.Error(), "s3cr3") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestCertificateFilesThatCannotBeUsed(t *testing.T) {
	a := newAuthority(t)
	a.make("one", false)
	a.make("two", false)
	for url, want := range map[string]error{
		"redis://host?ca=" + a.path("ca"):                                                  errNoTLS,
		"unix:///tmp/s?cert=" + a.path("one"):                                              errNoTLS,
		"rediss://host?ca=" + a.path("none"):                                               errCA,
		"rediss://host?ca=" + a.path("one-key"):                                            errCA,
		"rediss://host?cert=" + a.path("one"):                                              errCertificate,
		"rediss://host?cert=" + a.path("one") + "&key=" + a.path("two-key"):                errCertificate,
		"rediss-sentinel://h1,h2/main?ca=" + a.path("ca") + "&cert=" + a.path("one-key"):   errCertificate,
		"rediss-sentinel://h/main?ca=" + a.path("ca") + "&sentinel_username=x&colour=blue": errOption,
	} {
		if _, err := parseURL(url); err != want {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
}
