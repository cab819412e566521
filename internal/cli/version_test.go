package cli

import (
	"bytes"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
)

// The journal of such a run is in order: who reads it needs another program.
func TestARunOfAnotherVersionIsNotCalledDamaged(t *testing.T) {
	f := newFixture(t)
	b := spec.Builder{Name: "newer"}
	b.Add("a", nil, spec.Kind{Task: "noop"})
	encoded, err := build(t, &b).Encode()
	f.check(err)
	packer, err := zstd.NewWriter(nil)
	f.check(err)
	unpacker, err := zstd.NewReader(nil)
	f.check(err)
	defer unpacker.Close()
	plain, err := unpacker.DecodeAll(encoded, nil)
	f.check(err)
	encoded = packer.EncodeAll(bytes.Replace(plain, []byte(`"version":1`), []byte(`"version":9`), 1), nil)
	key, err := sign.Parse(os.Getenv(sign.Variable))
	f.check(err)
	digest := spec.Digest(encoded)
	_, err = f.journal.Submit(f.Context(), journal.Submission{Run: "newer-1", Pipeline: "newer", Stages: 1, Digest: digest, Spec: encoded,
		Incarnation: "1", Signature: key.Sign(sign.Spec, []byte("newer-1"), []byte("1"), []byte(digest)), Coordinator: "tester", Lease: undriven})
	f.check(err)
	for _, command := range []string{"attach", "resume", "retry", "status", "events"} {
		f.execute(command, "newer-1").expect(t, 1, "the pipeline was stored by another version of godags: it has version 9",
			"use the same godags version everywhere")
	}
	f.execute("runs").expect(t, 0, "newer-1")
}
