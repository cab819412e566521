// Package sign signs specs, tasks and outputs with a secret key. A user who can write to Redis but
// does not have the key cannot make workers execute anything.
package sign

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

// Variable is the environment variable that has the text of the key.
const Variable = "GODAGS_KEY"

// MinText is the length of the shortest text that makes a key, in bytes.
const MinText = 16

// Size is the length of a signature in bytes: the fingerprint of the key, a dot, and a code that
// cannot be computed without the key.
const Size = fingerprintSize + 1 + 43

const fingerprintSize = 8

// Key signs and verifies. [Parse], [Random] and [File] make one.
type Key struct {
	text        string
	macs        *sync.Pool // of *mac; nil: there is no key
	fingerprint string
}

// Parse makes a key of any text of at least [MinText] bytes. It ignores white space around the
// text.
func Parse(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if len(text) < MinText {
		return Key{}, fmt.Errorf("a key of %d bytes is too short: "+
			"use any text of at least %d, such as the output of `openssl rand -hex 32`", len(text), MinText)
	}
	return derive(text)
}

// Random makes a new key.
func Random() (Key, error) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	return derive(hex.EncodeToString(secret[:]))
}

func derive(text string) (k Key, err error) {
	secret, err := hkdf.Key(sha256.New, []byte(text), nil, "godags signatures", sha256.Size)
	if err != nil {
		return Key{}, fmt.Errorf("derive a key: %w", err)
	}

	k.macs = &sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, secret)} }}
	// The fingerprint is derived separately: it is public, and must say nothing about the secret.
	public, err := hkdf.Key(sha256.New, []byte(text), nil, "godags fingerprint", fingerprintSize/2)
	if err != nil {
		return Key{}, fmt.Errorf("derive a key: %w", err)
	}

	k.text, k.fingerprint = text, hex.EncodeToString(public)
	return k, nil
}

// Text returns the text from which [Parse] makes the same key.
func (k Key) Text() string { return k.text }

// Fingerprint returns eight characters that identify the key. They are not secret.
func (k Key) Fingerprint() string { return k.fingerprint }

// String hides the key from logs.
func (k Key) String() string { return "key " + k.fingerprint }

// GoString hides the key from logs.
func (k Key) GoString() string { return k.String() }

// Purposes of signatures. A signature for one purpose is invalid for another.
const (
	Spec = "spec" // ID, incarnation and spec digest of a run
	Task = "task" // name of a queue, payload of a task
	// ID, incarnation and spec digest of a run; stage, instance and attempt; the recorded output
	Output = "output"
	Value  = "value" // ID, incarnation and spec digest of a run, name of a value, the value
)

// Sign returns the signature of parts.
func (k Key) Sign(purpose string, parts ...[]byte) string {
	return k.fingerprint + "." + base64.RawURLEncoding.EncodeToString(k.code(purpose, parts))
}

// mac computes codes. It is kept in a pool: after its first use, the part of the computation that
// is the same for all codes of a key is done.
type mac struct {
	hash.Hash
	buf []byte // short parts, so that one call writes several
}

// maxCopied is the length of the longest part that is copied, in bytes.
const maxCopied = 512

func (k Key) code(purpose string, parts [][]byte) []byte {
	if k.macs == nil {
		return nil // there is no key
	}

	m := k.macs.Get().(*mac)
	defer k.macs.Put(m)

	m.Reset()

	// The length of each part comes before it, so that no byte can move from one part to the next.
	m.buf = binary.BigEndian.AppendUint64(m.buf[:0], uint64(len(purpose)))
	m.buf = append(m.buf, purpose...)
	for _, part := range parts {
		m.buf = binary.BigEndian.AppendUint64(m.buf, uint64(len(part)))
		if len(part) > maxCopied {
			m.Write(m.buf)
			m.Write(part)
			m.buf = m.buf[:0]
			continue
		}
		m.buf = append(m.buf, part...)
	}

	m.Write(m.buf)
	return m.Sum(nil)
}

// TagSize is the length of a tag in bytes.
const TagSize = 16

// Tag returns a short signature of parts, without the fingerprint of the key.
func (k Key) Tag(purpose string, parts ...[]byte) []byte {
	code := k.code(purpose, parts)
	return code[:min(TagSize, len(code))]
}

// Fits reports whether the tag was made with this key for the same parts.
func (k Key) Fits(tag []byte, purpose string, parts ...[]byte) bool {
	return k.macs != nil && hmac.Equal(tag, k.Tag(purpose, parts...))
}

// Signer returns the fingerprint of the key that a signature names.
func Signer(signature string) string {
	signer, _, _ := strings.Cut(signature, ".")
	return signer
}

// ErrSignature is in the chain of the error for a signature that was not made with the key.
var ErrSignature = errors.New("signature refused")

// Verify returns an error, which is [ErrSignature], unless the signature was made with this key for
// the same parts.
func (k Key) Verify(signature, purpose string, parts ...[]byte) error {
	signer, code, _ := strings.Cut(signature, ".")
	switch {
	case k.macs == nil:
		return fmt.Errorf("%w: there is no key", ErrSignature)
	case signature == "":
		return fmt.Errorf("%w: there is none", ErrSignature)
	case signer != k.fingerprint && len(signer) == fingerprintSize:
		return fmt.Errorf("%w: it was made with key %q, and the key here is %s: set the same %s for all coordinators and workers",
			ErrSignature, signer, k.fingerprint, Variable)
	}

	// Constant-time comparison, and Strict: other encodings of the same code are not accepted.
	got, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if signer != k.fingerprint || err != nil || !hmac.Equal(got, k.code(purpose, parts)) {
		return fmt.Errorf("%w: it does not fit: the signed data was changed in Redis, or was written without the key", ErrSignature)
	}

	return nil
}
