package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for 127.0.0.1 and keeps them as files. Its certificate is "ca".
type Authority struct {
	t      testing.TB
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// NewAuthority returns an authority, and makes a certificate for each name.
func NewAuthority(t testing.TB, names ...string) *Authority {
	t.Helper()
	a := &Authority{t: t, folder: t.TempDir()}
	a.cert, a.key = a.make("ca", true)
	for _, name := range names {
		a.make(name, false)
	}
	return a
}

// Path returns the file of a certificate, or of its key if the name ends in -key.
func (a *Authority) Path(name string) string { return filepath.Join(a.folder, name+".pem") }

// Options returns the options of a URL for a client that has the named certificate and trusts the
// authority.
func (a *Authority) Options(name string) string {
	return "?ca=" + a.Path("ca") + "&cert=" + a.Path(name) + "&key=" + a.Path(name+"-key")
}

// Config returns the same as a configuration for Go clients.
func (a *Authority) Config(name string) *tls.Config {
	a.t.Helper()
	own, err := tls.LoadX509KeyPair(a.Path(name), a.Path(name+"-key"))
	a.must(err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}, ServerName: "127.0.0.1"}
}

// make makes the files NAME.pem and NAME-key.pem.
func (a *Authority) make(name string, signs bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  signs,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	parent := a.cert
	signer := a.key
	if signs {
		parent = template
		signer = key
	}

	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	a.must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.must(os.WriteFile(a.Path(name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	a.must(os.WriteFile(a.Path(name+"-key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	cert, err := x509.ParseCertificate(der)
	a.must(err)
	return cert, key
}

func (a *Authority) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
