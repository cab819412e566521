package pipefile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/godags/godags/internal/spec"
)

// parseTree is [decoder.parse] for JSON that is read as a whole.
func (d *decoder) parseTree(name string) *spec.Spec {
	if !d.checkEncoding() {
		return nil
	}
	root, ok := d.readJSON(false)
	if !ok {
		return nil
	}
	return build(d, readPipeline(d, root), stem(name), known{})
}

// compareWithTree fails unless a file means the same, and the same is wrong with it, when its
// stages are read one by one.
func compareWithTree(t interface{ Fatalf(string, ...any) }, data []byte) {
	const name = "p.json"
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	stream, tree := newDecoder(data), newDecoder(data)
	got, want := stream.parse(true, name, known{}), tree.parseTree(name)
	var found, wanted []Problem
	if len(stream.problems) > 0 {
		found = stream.fileError(name).Problems
	}
	if len(tree.problems) > 0 {
		wanted = tree.fileError(name).Problems
	}
	if stream.omitted == 0 && tree.omitted == 0 && !reflect.DeepEqual(found, wanted) {
		t.Fatalf("%s\nas a stream it has the problems\n%+v, want\n%+v", data, found, wanted)
	}
	if len(wanted) == 0 && describe(got) != describe(want) {
		t.Fatalf("%s\nas a stream it gives\n%s, want\n%s", data, describe(got), describe(want))
	}
}

func TestStream_MeansTheSameAsTheTree(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, path := range archives {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range parseArchive(data).files {
			if filepath.Ext(f.name) == ".json" {
				compareWithTree(t, []byte(f.content))
				files++
			}
		}
	}
	for _, w := range slips(t) {
		compareWithTree(t, []byte(w.file))
		files++
	}
	if files < 200 {
		t.Errorf("only %d files", files)
	}
	for _, data := range []string{
		`{"stages": [{"name": "a"}], "stages": [{"name": "b"}]}`,
		`{"st\u0061ges": [{"name": "a \"[]{}\\"}, {"name": "]", "after": "a \"[]{}\\"}], "defaults": {"retries": 2}}`,
		`{"stages": []}`, `{"stages": {}}`, `{"stages": "[a]"}`, `{"stages" :[ ] , "x": [[]]}`, `{"stage": [{"name": "a"}]}`,
		`{"stages": [{"name": "a", "after": ["c"]}, {"name": "b", "after": ["a"]}, {"name": "c", "after": ["b"]}, {"name": "a"}]}`,
		`{"stages": [{"name": "a", "x": ` + nest("[", "]", 97) + `}]}`,
		`{"stages": [{"name": "a", "x": ` + nest("[", "]", 98) + `}]}`,
		`[{"stages": [{"name": "a"}]}]`, `{"params": {"stages": [1, 2]}, "stages": [{"name": "a"}]}`,
	} {
		compareWithTree(t, []byte(data))
	}
}

func TestStream_RandomFilesMeanTheSameAsTheTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := writer{t: t, anchors: map[string]string{}, texts: map[string]string{}}
		compareWithTree(t, []byte(w.json(drawFile(t))))
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(`{"stages": [{"name": "a", "matrix": {"x": [1, 2]}}, {"name": "b", "for_each": "a", "when": "item > 1"}], "defaults": {"retries": 1}}`))
	f.Add([]byte(`{"stages": [{"name": "a", "after": "b"}, {"name": "b", "after": ["a", "c"]}, 5], "stages": []}`))
	f.Fuzz(func(t *testing.T, data []byte) { compareWithTree(t, data) })
}

// The place of a problem is known wherever in a large file it is.
func TestStream_ProblemsOfALargeFileHaveTheirPlace(t *testing.T) {
	const n = 50_000
	data := layered(".json", n)
	data = bytes.Replace(data, []byte(`"stage-49998", "stage-49992"`), []byte(`"stage-49998", "stage-x"`), 1)
	data = bytes.Replace(data, []byte(`{"name": "stage-40000"`), []byte(`{"nam": "stage-40000"`), 1)
	_, err := Parse("p.json", data, nil)
	checkError(t, data, err)
	for _, want := range []string{
		"p.json:40001:2: a stage has no key \"nam\" (did you mean \"name\"?)\n40001 | {\"nam\": ",
		"p.json:50000:50: stage \"stage-49999\" comes after \"stage-x\", which does not exist",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v, want\n%s", err, want)
		}
	}
}

// What is kept of each stage is little, but there may be more of them than memory.
func TestStream_StagesAreCounted(t *testing.T) {
	s := newDecoder([]byte(`{"stages": [{"name": "a"}, {"name": "b", "after": ["a"]}, {"name": "c", "after": ["a", "b"]}]}`))
	s.parts = maxParts - 3
	s.parse(true, "p.json", nil)
	if err := s.fileError("p.json"); len(s.problems) != 1 || !strings.Contains(err.Error(), "p.json:1:59: the file has more than 16 million stages") {
		t.Error(err)
	}
}

// makeLayers writes a file of layers of stages, each after three random ones of the layer before,
// and one after all of the last.
func makeLayers(layers, width int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString(`{"name": "layers", "stages": [`)
	for l := range layers {
		for i := range width {
			after := []string{}
			for range 3 * min(l, 1) {
				after = append(after, fmt.Sprintf(`"l%d_%d"`, l-1, rnd.IntN(width)))
			}
			fmt.Fprintf(&b, "{\"name\": \"l%d_%d\", \"after\": [%s], \"task\": \"noop\"}, ", l, i, strings.Join(after, ", "))
		}
	}
	b.WriteString(`{"name": "sink", "after": [`)
	for i := range width {
		fmt.Fprintf(&b, "%s\"l%d_%d\"", strings.Repeat(", ", min(i, 1)), layers-1, i)
	}
	b.WriteString("]}]}")
	return b.Bytes()
}

// BenchmarkParseMillion reads 1,000,001 stages with 3 million edges. The most memory that is in use
// at any time is what counts here:
//
//	go test ./internal/pipefile -run '^$' -bench ParseMillion -benchtime 1x
func BenchmarkParseMillion(b *testing.B) {
	data := makeLayers(1000, 1000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		runtime.GC()
		stop, most := make(chan struct{}), make(chan uint64)
		go func() {
			var highest uint64
			for {
				select {
				case <-stop:
					most <- highest
					return
				default:
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					highest = max(highest, m.Sys-m.HeapReleased)
				}
			}
		}()
		sp, err := Parse("p.json", data, nil)
		close(stop)
		b.ReportMetric(float64(<-most)/(1<<20), "MiB-most")
		if err != nil || sp.Graph.Len() != 1_000_001 {
			b.Fatal(err)
		}
	}
}
