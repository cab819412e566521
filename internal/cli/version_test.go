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

// newerRun submits a run whose spec is of format 9.
func newerRun(t *testing.T, f fixture) {
	t.Helper()
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
	encoded = packer.EncodeAll(bytes.Replace(plain, []byte(`"format":1`), []byte(`"format":9`), 1), nil)
	key, err := sign.Parse(os.Getenv(sign.Variable))
	f.check(err)
	digest := spec.Digest(encoded)
	_, err = f.journal.Submit(f.Context(), journal.Submission{Run: "newer-1", Pipeline: "newer", Stages: 1, Digest: digest, Spec: encoded,
		Incarnation: "1", Signature: key.Sign(sign.Spec, []byte("newer-1"), []byte("1"), []byte(digest)), Coordinator: "tester", Lease: undriven})
	f.check(err)
}

const upgrade = "; this one reads format 1: upgrade this program"

// The journal of such a run is in order: who reads it needs another program.
func TestARunOfANewerFormatIsNotCalledDamaged(t *testing.T) {
	f := newFixture(t)
	newerRun(t, f)
	for _, command := range []string{"attach", "resume", "retry", "status", "events", "graph", "logs"} {
		f.execute(command, "newer-1").expect(t, 2, "run newer-1: ", "written by a newer godags (format 9)"+upgrade)
	}
	f.execute("runs").expect(t, 0, "newer-1")
}

// What such a run is cannot be told, but the other runs can, and no command removes or changes it.
func TestRecordsOfANewerFormatStopCommandsOnly(t *testing.T) {
	for name, record := range map[string]string{
		"type": "\x63\x00\x01\x00", // 99
		// a duration, and a field of the second byte
		"field":  "\x03\x00\x01\x82\x01\x05\x05",
		"format": "\x01\x00\x00\x08\x0c{\"format\":9}", // of the run, without any other field
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.submit("other", driven)
			f.submit("demo-1", driven)
			want := "written by a newer godags (format 2 or later)" + upgrade
			client := f.server.Client()
			if name == "format" {
				want = "written by a newer godags (format 9)" + upgrade
				f.check(client.Del(t.Context(), "godags:{demo-1}:journal").Err())
			}
			f.check(client.Do(t.Context(), "XADD", "godags:{demo-1}:journal", "*", "w", "", "r", record).Err())

			for _, command := range []string{"status", "events", "cancel", "logs", "graph", "attach", "resume"} {
				f.execute(command, "demo-1").expect(t, 2, "run demo-1: ", want)
			}
			f.execute("runs").expect(t, 0, "newer", "demo-1", "other")
			f.execute("runs", "prune", "--older-than", "0s").expect(t, 0, "")
			f.execute("runs", "--state", "newer").expect(t, 0, "demo-1")
		})
	}
}
