// Package seal signs what workers are to execute, so that whoever can write to Redis, but does not have the key, cannot make them
// execute anything.
package seal

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
	"strings"
)

// Variable is the environment variable that has the text of the key.
const Variable = "GODAGS_KEY"

// MinText is the length of the shortest text that makes a key, in bytes.
const MinText = 16

// Size is the length of a signature: the fingerprint of the key, a dot, and the code that only those with the key can make.
const Size = fingerprintSize + 1 + 43

const fingerprintSize = 8

// Key signs and verifies. [Parse], [Random] and [File] make one.
type Key struct {
	text        string
	secret      []byte
	fingerprint string
}

// Parse makes a key of any text of at least [MinText] bytes. White space around it does not count.
func Parse(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if len(text) < MinText {
		return Key{}, fmt.Errorf("a key of %d bytes is too short: use any text of at least %d, such as the output of `openssl rand -hex 32`", len(text), MinText)
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
	if k.secret, err = hkdf.Key(sha256.New, []byte(text), nil, "godags signatures", sha256.Size); err != nil {
		return Key{}, fmt.Errorf("derive a key: %w", err)
	}
	public, err := hkdf.Key(sha256.New, []byte(text), nil, "godags fingerprint", fingerprintSize/2)
	if err != nil {
		return Key{}, fmt.Errorf("derive a key: %w", err)
	}
	k.text, k.fingerprint = text, hex.EncodeToString(public)
	return k, nil
}

// Text returns what [Parse] makes the same key of.
func (k Key) Text() string { return k.text }

// Fingerprint returns eight characters by which people and programs tell keys apart. It may be known to all.
func (k Key) Fingerprint() string { return k.fingerprint }

// String hides the key from logs.
func (k Key) String() string { return "key " + k.fingerprint }

// GoString hides the key from logs.
func (k Key) GoString() string { return k.String() }

// What is signed. A signature for one purpose is none for another.
const (
	Spec   = "spec"   // id of a run, digest of its spec
	Task   = "task"   // name of a queue, payload of a task
	Output = "output" // id of a run, number of a stage, what is recorded as its output
)

// Sign returns the signature of parts.
func (k Key) Sign(purpose string, parts ...[]byte) string {
	return k.fingerprint + "." + base64.RawURLEncoding.EncodeToString(k.code(purpose, parts))
}

func (k Key) code(purpose string, parts [][]byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	var length [8]byte
	for _, part := range append([][]byte{[]byte(purpose)}, parts...) {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// TagSize is the length of a tag in bytes.
const TagSize = 16

// Tag returns a short signature of parts: it does not say with which key it was made.
func (k Key) Tag(purpose string, parts ...[]byte) []byte { return k.code(purpose, parts)[:TagSize] }

// Fits reports whether the tag was made with the same key of the same parts.
func (k Key) Fits(tag []byte, purpose string, parts ...[]byte) bool {
	return k.secret != nil && hmac.Equal(tag, k.Tag(purpose, parts...))
}

// Signer returns the fingerprint of the key that a signature claims to be made with.
func Signer(signature string) string {
	signer, _, _ := strings.Cut(signature, ".")
	return signer
}

// ErrSignature says that something is not signed with our key.
var ErrSignature = errors.New("signature refused")

// Verify returns an error, which is [ErrSignature], unless the signature was made with the same key of the same parts.
func (k Key) Verify(signature, purpose string, parts ...[]byte) error {
	signer, code, _ := strings.Cut(signature, ".")
	switch {
	case k.secret == nil:
		return fmt.Errorf("%w: there is no key", ErrSignature)
	case signature == "":
		return fmt.Errorf("%w: there is none", ErrSignature)
	case signer != k.fingerprint && len(signer) == fingerprintSize:
		return fmt.Errorf("%w: it was made with key %q, and the key here is %s: set the same %s for all coordinators and workers",
			ErrSignature, signer, k.fingerprint, Variable)
	}
	got, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if signer != k.fingerprint || err != nil || !hmac.Equal(got, k.code(purpose, parts)) {
		return fmt.Errorf("%w: it does not fit: what it stands for was changed in Redis, or was written without the key", ErrSignature)
	}
	return nil
}
