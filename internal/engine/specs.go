package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/version"
)

// specs reads the specs of runs, and verifies that a process with our key submitted them.
type specs struct {
	journal     *journal.Journal
	key         func() (sign.Key, error) // finds our key, or makes it
	existingKey func() (sign.Key, error) // finds our key, and makes none
}

// identity returns the identity of a run, or [sign.ErrSignature] unless a process with our key
// submitted the run. It comes before anything of the run is decoded or coordinated.
func (s specs) identity(ctx context.Context, run journal.RunID) (journal.Identity, error) {
	// The key may be made here: without one, no run can be ours.
	key, err := s.key()
	if err != nil {
		return journal.Identity{}, err
	}

	id, err := s.journal.Identity(ctx, run)
	if err == nil {
		err = verifyIdentity(key, id)
	}
	return id, err
}

// load returns a spec that a process with our key submitted, and the identity of its run.
func (s specs) load(ctx context.Context, run journal.RunID) (*spec.Spec, journal.Identity, error) {
	id, err := s.identity(ctx, run)
	if err != nil {
		return nil, id, err
	}

	encoded, digest, err := s.journal.Spec(ctx, run)
	if err == nil && digest != id.Digest {
		// The run was removed and its ID used again, between the two reads.
		err = fmt.Errorf("run %s: %w", run, journal.ErrDigest)
	}
	if err != nil {
		return nil, id, err
	}

	sp, err := decode(run, encoded, spec.Decode)
	return sp, id, err
}

// show returns the spec of any run. For a run that our key did not sign, it takes little memory or
// returns [spec.ErrUnvouched].
func (s specs) show(ctx context.Context, run journal.RunID) (*spec.Spec, error) {
	id, err := s.journal.Identity(ctx, run)
	if err != nil {
		return nil, err
	}

	encoded, digest, err := s.journal.Spec(ctx, run)
	if err != nil {
		return nil, err
	}

	// The signature covers the digest, so it says nothing about a spec with another one.
	if digest == id.Digest && s.signed(id) {
		return decode(run, encoded, spec.Decode)
	}
	return decode(run, encoded, spec.DecodeUnvouched)
}

// removable returns the spec of a run that is being removed. The spec says where values are that
// are removed with the run, so a spec that our key did not sign could make us delete any file.
func (s specs) removable(id journal.Identity, encoded []byte) (*spec.Spec, error) {
	id.Digest = spec.Digest(encoded)
	if !s.signed(id) {
		return nil, fmt.Errorf("%w: it was submitted with another key, or changed in Redis", sign.ErrSignature)
	}
	return spec.Decode(encoded)
}

// signed reports whether our key signed the identity of a run. It makes no key: looking at runs
// must not leave a key file.
func (s specs) signed(id journal.Identity) bool {
	key, err := s.existingKey()
	return err == nil && verifyIdentity(key, id) == nil
}

// explainDigest adds to the error of a taken run ID how the other run differs.
func (s specs) explainDigest(ctx context.Context, o RunOptions, taken error) error {
	// A spec that our key did not sign is not decoded, so nothing can be said about it.
	existing, _, err := s.load(ctx, o.ID)
	if err != nil {
		return taken
	}
	if what := spec.Difference(existing, o.Spec); what != "" {
		return fmt.Errorf("%w: %s", taken, what)
	}
	return taken
}

func decode(run journal.RunID, encoded []byte, decoder func([]byte) (*spec.Spec, error)) (*spec.Spec, error) {
	sp, err := decoder(encoded)
	switch {
	case errors.Is(err, version.ErrNewer):
		return nil, fmt.Errorf("run %s: %w", run, err)
	case err != nil:
		return nil, fmt.Errorf("run %s: %w: its spec: %w", run, journal.ErrDamaged, err)
	}
	return sp, nil
}
