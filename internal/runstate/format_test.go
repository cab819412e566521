package runstate

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/spec"
)

// readGolden returns a file of the folder format-1. These files were written by the first godags
// with this format, by a run of real processes, and are never changed: runs like these are in
// people's Redis. See version.Format.
func readGolden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "format-1", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func goldenSpec(t *testing.T, run string) *spec.Spec {
	t.Helper()
	encoded, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(readGolden(t, run+".spec")), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	sp, err := spec.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// loadGolden puts a journal into Redis.
func loadGolden(t *testing.T, rdb *redis.Client, run string) {
	t.Helper()
	if err := rdb.HSet(t.Context(), "godags:{"+run+"}:run", "digest", "d").Err(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(readGolden(t, run+".journal"))) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		records, err := hex.DecodeString(words[2])
		if err != nil {
			t.Fatal(err)
		}
		err = rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "godags:{" + run + "}:journal", ID: words[0],
			Values: []any{"w", strings.TrimPrefix(words[1], "-"), "r", records}}).Err()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFormat1_RunsAreReadByEveryBuild(t *testing.T) {
	for name, want := range map[string]struct {
		outcome, params, timeout string
		counts                   map[dag.State]int
	}{
		"nightly":   {"succeeded", `trees=100 day="today"`, "2h0m0s", map[dag.State]int{dag.Succeeded: 16, dag.Skipped: 3}},
		"cancelled": {"cancelled", "", "1s", map[dag.State]int{dag.Cancelled: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			rdb := redistest.Mini(t)
			loadGolden(t, rdb, name)
			sp := goldenSpec(t, name)

			var lines []byte
			r := New(journal.RunID(name), sp)
			for n := 1; n > 0; {
				var err error
				n, err = r.ReadNext(t.Context(), journal.New(rdb), 0, func(e journal.Entry) {
					for _, event := range r.Events(e, nil) {
						lines = event.Append(lines)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			}

			if golden := readGolden(t, name+".events"); !bytes.Equal(lines, golden) {
				t.Errorf("the events are\n%swant\n%s", lines, golden)
			}
			if got := r.DAG.Outcome().String(); got != want.outcome || !r.DAG.Finished() {
				t.Errorf("outcome %s, want %s", got, want.outcome)
			}
			for state, n := range want.counts {
				if got := r.DAG.Count(state); got != n {
					t.Errorf("%d stages %s, want %d", got, state, n)
				}
			}
			if sp.Timeout.String() != want.timeout {
				t.Errorf("timeout %s, want %s", sp.Timeout, want.timeout)
			}
			for _, p := range sp.Params {
				if !strings.Contains(want.params, p.Name+"="+string(p.Value)) {
					t.Errorf("parameter %s=%s, want %s", p.Name, p.Value, want.params)
				}
			}
		})
	}
}

// What the spec says of a stage is read as it was submitted.
func TestFormat1_PoliciesAreReadByEveryBuild(t *testing.T) {
	sp := goldenSpec(t, "nightly")
	kind := func(name string) spec.Kind {
		t.Helper()
		id, ok := sp.Graph.Lookup(name)
		if !ok {
			t.Fatalf("there is no stage %q", name)
		}
		return *sp.Kind(id)
	}
	train := kind("train")
	if train.ForEach != "list" || train.MaxParallel != 2 || train.Priority != 5 || train.When != "item > 10" || train.Task != "command" {
		t.Errorf("train: %+v", train)
	}
	if flaky := kind("flaky"); flaky.Retries != 1 || flaky.Backoff.Initial.String() != "100ms" {
		t.Errorf("flaky: %+v", flaky)
	}
	if cell := kind("build[os=mac,arch=arm]"); string(cell.Item) != `{"arch":"arm","os":"mac"}` || cell.Index != 1 || !kind("build").Gather {
		t.Errorf("build: %+v", cell)
	}
	if clean := kind("clean"); clean.Trigger != dag.AllDone {
		t.Errorf("clean: %+v", clean)
	}
	if sp.Graph.Len() != 16 || sp.Env["STAGE"] != "test" {
		t.Errorf("%d stages, env %v", sp.Graph.Len(), sp.Env)
	}
}

// A digest in an event is that of the spec or of an output.
func TestEvents_HaveTheDigestOfAnOutput(t *testing.T) {
	r, feed := fan(t)
	e := journal.Entry{ID: "1-1", Worker: "w", Records: []journal.Record{{Type: journal.StageSucceeded, Attempt: 1, Digest: journal.Digest{0xab, 31: 0xcd}}}}
	feed(e.Records...)
	events := r.Events(e, nil)
	if want := "ab" + strings.Repeat("00", 30) + "cd"; len(events) != 1 || events[0].Digest != want {
		t.Errorf("%+v, want digest %s", events, want)
	}
	if text := string(api.Event{Seq: 1, Type: "stage.succeeded"}.Append(nil)); strings.Contains(text, "digest") {
		t.Errorf("%s; want no digest without an output", text)
	}
}
