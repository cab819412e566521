package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/seal"
)

// findKey returns the key that GODAGS_KEY says. Without it a Redis of our own has a key that lives where it does, in this process or in
// the state folder, and all that a user does with other ones is signed with the key in the folder for his settings.
func findKey(kind redisx.Kind, home string) (seal.Key, error) {
	if text := os.Getenv(seal.Variable); text != "" {
		k, err := seal.Parse(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", seal.Variable, err)
		}
		return k, err
	}
	switch kind {
	case redisx.InProcess:
		return seal.Random()
	case redisx.Private:
		return seal.File(filepath.Join(home, "key"))
	}
	path, err := seal.UserFile()
	if err != nil {
		return seal.Key{}, err
	}
	return seal.File(path)
}

// sealSpec returns the signature of a run's spec.
func sealSpec(key seal.Key, run journal.RunID, digest string) string {
	return key.Sign(seal.Spec, []byte(run), []byte(digest))
}

// verify returns [seal.ErrSignature] unless whoever submitted the run with this digest has our key. It comes before driving the run.
func (s *Session) verify(ctx context.Context, run journal.RunID, digest string) error {
	key, err := s.Key()
	if err != nil {
		return err
	}
	signature, err := s.Journal.Signature(ctx, run)
	if err != nil {
		return err
	}
	if err := key.Verify(signature, seal.Spec, []byte(run), []byte(digest)); err != nil {
		return fmt.Errorf("run %s: its spec: %w", run, err)
	}
	return nil
}
