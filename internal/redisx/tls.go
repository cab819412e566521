package redisx

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
)

// certificates are the files that a URL names: that of the authority which signed the certificate
// of the server, and those of the client certificate and its key.
type certificates struct{ ca, cert, key string }

// takeCertificates removes the options that name files from the URL, and returns them.
func takeCertificates(u *url.URL) (c certificates) {
	q := u.Query()
	c = certificates{q.Get("ca"), q.Get("cert"), q.Get("key")}
	if c == (certificates{}) {
		return c
	}

	// go-redis refuses options that it does not know.
	q.Del("ca")
	q.Del("cert")
	q.Del("key")
	u.RawQuery = q.Encode()
	return c
}

// apply makes a connection with TLS use the files.
func (c certificates) apply(config *tls.Config) error {
	switch {
	case c == (certificates{}):
		return nil
	case config == nil:
		return errNoTLS
	}

	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)

		// A new pool in place of the system's: a user who names an authority trusts only that one.
		config.RootCAs = x509.NewCertPool()
		if err != nil || !config.RootCAs.AppendCertsFromPEM(pem) {
			return errCA
		}
	}

	if c.cert != "" || c.key != "" {
		own, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return errCertificate
		}
		config.Certificates = []tls.Certificate{own}
	}

	return nil
}
