package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/version"
)

// findKey returns the key that GODAGS_KEY says. Without it a Redis of our own has a key that lives
// where it does, in this process or in the state folder, and all that a user does with other ones
// is signed with the key in the folder for his settings. File reads a file, and may make it.
func findKey(kind redisx.Kind, home string, file func(path string) (sign.Key, error)) (sign.Key, error) {
	if text := os.Getenv(sign.Variable); text != "" {
		k, err := sign.Parse(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", sign.Variable, err)
		}
		return k, err
	}

	switch kind {
	case redisx.InProcess:
		return sign.Random()
	case redisx.Private:
		return file(filepath.Join(home, "key"))
	}

	path, err := sign.UserFile()
	if err != nil {
		return sign.Key{}, err
	}

	return file(path)
}

// signIdentity returns the signature of what a run is.
func signIdentity(key sign.Key, id journal.Identity) string {
	return key.Sign(sign.Spec, []byte(id.Run), []byte(id.Incarnation), []byte(id.Digest))
}

func verifyIdentity(key sign.Key, id journal.Identity) error {
	if err := key.Verify(id.Signature, sign.Spec, []byte(id.Run), []byte(id.Incarnation), []byte(id.Digest)); err != nil {
		return fmt.Errorf("run %s: its spec: %w", id.Run, err)
	}
	return nil
}

// identify returns the identity of a run, or [signTask.ErrSignature] unless somebody with our key has
// submitted it. It comes before anything of the run is decoded, and before driving it.
func (s *Session) identify(ctx context.Context, run journal.RunID) (journal.Identity, error) {
	key, err := s.Key()
	if err != nil {
		return journal.Identity{}, err
	}

	id, err := s.Journal.Identity(ctx, run)
	if err == nil {
		err = verifyIdentity(key, id)
	}
	return id, err
}

// vouched reports whether somebody with our key has submitted a run. Looking at a run makes no key.
func (s *Session) vouched(id journal.Identity) bool {
	find := s.Key
	if s.Conn.Kind != redisx.InProcess {
		find = func() (sign.Key, error) { return findKey(s.Conn.Kind, s.Home, sign.ReadFile) }
	}
	key, err := find()
	return err == nil && verifyIdentity(key, id) == nil
}

// Spec returns the pipeline of a run, in order to show it. Of a run that nobody with our key has
// submitted it takes little memory, or returns [spec.ErrUnvouched].
func (s *Session) Spec(ctx context.Context, run journal.RunID) (*spec.Spec, error) {
	id, err := s.Journal.Identity(ctx, run)
	if err != nil {
		return nil, err
	}

	encoded, digest, err := s.Journal.Spec(ctx, run)
	if err != nil {
		return nil, err
	}

	decode := spec.DecodeUnvouched
	if digest == id.Digest && s.vouched(id) {
		decode = spec.Decode
	}

	sp, err := decode(encoded)
	if errors.Is(err, version.ErrNewer) {
		return nil, fmt.Errorf("run %s: %w", run, err)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: its spec: %w", run, journal.ErrDamaged, err)
	}

	return sp, nil
}

// View reads a run from Redis, up to its newest entry.
func (s *Session) View(ctx context.Context, run journal.RunID) (*runstate.Run, error) {
	sp, err := s.Spec(ctx, run)
	if err != nil {
		return nil, err
	}
	return runstate.Load(ctx, s.Journal, run, sp)
}
