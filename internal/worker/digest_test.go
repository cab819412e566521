package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

func digestOf(encoded string) journal.Digest { return sha256.Sum256([]byte(encoded)) }

// A comparison of runs must not show where their values are stored.
func TestDigest_IsOfTheEncodedOutputWhereverItIsStored(t *testing.T) {
	large := "raw\n" + strings.Repeat("x", values.MaxInline)
	for _, output := range []string{"json\n1", "raw\n", large} {
		simulate(t, func(_ *world, _ context.Context, s *tasks.Stage) error {
			s.Values.SetOutput([]byte(output))
			return nil
		}, func(w *world) {
			w.send("t", "x", 1)
			if got := w.expect("started succeeded").Digest; got != digestOf(output) {
				w.Errorf("the digest of %.20q is %s, want %s", output, got, digestOf(output))
			}
		})
	}
}

// "either" notices whether x has an output, so that the absence is recorded and signed.
func TestDigest_IsAbsentWithoutAnOutput(t *testing.T) {
	simulate(t, func(*world, context.Context, *tasks.Stage) error { return nil }, func(w *world) {
		w.send("t", "x", 1)
		if got := w.expect("started succeeded").Digest; got != (journal.Digest{}) {
			w.Errorf("the digest is %s, want none", got)
		}
		if got := w.outputs(w.id("x"))[0]; got != "n" {
			w.Errorf("recorded %q, want that it has none", got)
		}
	})
}

func TestDigest_OfAListIsOfItsElements(t *testing.T) {
	cell := digestOf("raw\n" + longText)
	// the first cell has no output
	parts := append(append([]byte("parts\n"), make([]byte, sha256.Size)...), cell[:]...)
	for output, want := range map[string]journal.Digest{
		"json\n7":          digestOf("json\n[null,7]"),
		"raw\n" + longText: sha256.Sum256(parts),
	} {
		simulate(t, writing(output, nil), func(w *world) {
			w.send("t", "cell 1", 1)
			w.expect("started succeeded")
			w.items("u", queue.Item{Stage: w.id("cells"), Attempt: 1, Deps: succeeded(0, 1)})
			got := w.expect("started succeeded started succeeded").Digest
			if got != want {
				w.Errorf("the digest of the list with %.20q is %s, want %s", output, got, want)
			}
		})
	}
}

// newer returns a spec as a newer godags would encode it.
func newer(t *testing.T, encoded []byte) []byte {
	t.Helper()
	unpacker, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unpacker.Close()
	plain, err := unpacker.DecodeAll(encoded, nil)
	if err != nil {
		t.Fatal(err)
	}
	packer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer packer.Close()
	return packer.EncodeAll(bytes.Replace(plain, []byte(`"format":1`), []byte(`"format":9`), 1), nil)
}

// Another worker may be able to read the spec. The stage must not fail, and the log must not fill.
func TestSpecOfANewerFormat_ReturnsTheTask(t *testing.T) {
	simulate(t, func(*world, context.Context, *tasks.Stage) error { return nil }, func(w *world) {
		encoded, err := w.spec.Encode()
		w.must(err)
		encoded = newer(w.T, encoded)
		good := w.digest
		w.digest = spec.Digest(encoded)
		w.must(w.mini.Set("godags:{r}:spec", string(encoded)))
		w.mini.HSet("godags:{r}:run", "digest", w.digest)
		said := w.said.Load()
		w.send("newer", "x", 1)
		// into one of the pauses before it is returned
		time.Sleep(50*time.Second + 100*time.Millisecond)

		if story := w.story(); story != "" {
			w.Errorf("the journal tells %q, want nothing", story)
		}
		waiting, err := w.queue.RequeuedAttempts("default")
		w.must(err)
		if held := w.worker.server.Delivered(); len(waiting)+len(held) != 1 {
			w.Errorf("%v is in the queue and %v with the worker, want the task in one of them", waiting, held)
		}
		if lines := w.said.Load() - said; lines != 1 {
			w.Errorf("%d lines in the log, want 1", lines)
		}

		w.digest = good
		encoded, err = w.spec.Encode()
		w.must(err)
		w.must(w.mini.Set("godags:{r}:spec", string(encoded)))
		w.mini.HSet("godags:{r}:run", "digest", good)
		w.send("old", "y", 1)
		w.tells("y started, y succeeded") // it is as able as before
	})
}
