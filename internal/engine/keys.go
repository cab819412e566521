package engine

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/sign"
)

// keyFinder says where the signing key is.
type keyFinder struct {
	kind   redisx.Kind
	home   string // state folder
	random bool   // do not read the environment
}

// find returns the key that GODAGS_KEY gives. Without that variable, the key lives where the Redis
// does: in this process, in the state folder or, for an external Redis, in the settings folder of
// the user. File reads a key file, and may make it.
func (f keyFinder) find(file func(path string) (sign.Key, error)) (sign.Key, error) {
	if f.random {
		return sign.Random()
	}

	// The variable comes first, so that services on several machines can share a key without a
	// file.
	if text := os.Getenv(sign.Variable); text != "" {
		k, err := sign.Parse(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", sign.Variable, err)
		}
		return k, err
	}

	switch f.kind {
	// Nothing outlives this process that such a key would have to verify.
	case redisx.InProcess:
		return sign.Random()
	case redisx.Private:
		return file(filepath.Join(f.home, "key"))
	}

	path, err := sign.UserFile()
	if err != nil {
		return sign.Key{}, err
	}
	return file(path)
}

// signIdentity returns the signature of the identity of a run.
func signIdentity(key sign.Key, id journal.Identity) string {
	return key.Sign(sign.Spec, []byte(id.Run), []byte(id.Incarnation), []byte(id.Digest))
}

func verifyIdentity(key sign.Key, id journal.Identity) error {
	if err := key.Verify(id.Signature, sign.Spec, []byte(id.Run), []byte(id.Incarnation), []byte(id.Digest)); err != nil {
		return fmt.Errorf("run %s: its spec: %w", id.Run, err)
	}
	return nil
}
