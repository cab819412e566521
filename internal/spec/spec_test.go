package spec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/godags/godags/dag"
)

func random(t *rapid.T) *Spec {
	b := &Builder{Name: "p", Values: rapid.SampledFrom([]string{"", "disk:/x"}).Draw(t, "values")}
	n := rapid.IntRange(0, 40).Draw(t, "n")
	for i := range n {
		var after []string
		for j := range n { // forward and backward references
			if (j*7919)%n < (i*7919)%n && rapid.IntRange(0, 9).Draw(t, "edge") == 0 {
				after = append(after, fmt.Sprintf("s%d", j))
			}
		}
		kind := Kind{Task: rapid.SampledFrom([]string{"", "noop", "é"}).Draw(t, "task"), Queue: rapid.SampledFrom([]string{"", "gpu"}).Draw(t, "queue")}
		if rapid.Bool().Draw(t, "params") {
			kind.Params = json.RawMessage(fmt.Sprintf(`{"n":%d}`, rapid.IntRange(0, 3).Draw(t, "param")))
		}
		b.Add(fmt.Sprintf("s%d", i), after, kind)
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func describe(s *Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q\n", s.Name, s.Values)
	for id := range s.Graph.Len() {
		id := dag.StageID(id)
		fmt.Fprintf(&b, "%q %v %+v %s\n", s.Graph.Name(id), s.Graph.Deps(id), s.Kind(id), s.Queue(id))
	}
	return b.String()
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := random(t)
		encoded, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := describe(back), describe(s); got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
	})
}

func TestLikeStagesShareAKind(t *testing.T) {
	b := &Builder{Name: "p"}
	for i := range 10 {
		b.Add(fmt.Sprint(i), nil, Kind{Task: "noop"})
	}
	b.Add("x", nil, Kind{Task: "noop", Params: json.RawMessage(`{}`)})
	s, err := b.Build()
	if err != nil || len(s.Kinds()) != 2 {
		t.Fatalf("%d kinds, %v", len(s.Kinds()), err)
	}
}

func TestStagesThatOnlyPrintAlikeShareNoKind(t *testing.T) {
	b := &Builder{Name: "p"}
	b.Add("one", nil, Kind{Task: "noop", Policy: Policy{Secrets: []string{"A B"}}})
	b.Add("two", nil, Kind{Task: "noop", Policy: Policy{Secrets: []string{"A", "B"}}})
	s, err := b.Build()
	if err != nil || len(s.Kinds()) != 2 {
		t.Fatalf("%d kinds, %v", len(s.Kinds()), err)
	}
}

func TestPipelineNameIsChecked(t *testing.T) {
	if _, err := (&Builder{Name: "a\nb"}).Build(); err == nil || !strings.Contains(err.Error(), `"a\nb"`) {
		t.Fatal(err)
	}
}

func FuzzDecode(f *testing.F) {
	b := &Builder{Name: "p"}
	b.Add("a", nil, Kind{Task: "noop"})
	b.Add("b", []string{"a"}, Kind{Task: "noop"})
	s, err := b.Build()
	if err != nil {
		f.Fatal(err)
	}
	encoded, err := s.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Decode(data); err == nil {
			describe(s) // whatever is accepted can be used
		}
	})
}

// FuzzColumns is FuzzDecode behind the compression, which chance does not get through.
func FuzzColumns(f *testing.F) {
	const head = `{"format":1,"name":"p","stages":2,"edges":1,"kinds":[{"task":"noop"}]}`
	for _, seed := range []string{"", "\x02{}", string(rune(len(head))) + head + "\x01a\x01b\x00\x01\x02\x00\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		r := &reader{data: data, header: maxUnvouchedHeader}
		if s, err := r.spec(); err == nil {
			describe(s)
		}
	})
}

func BenchmarkDecodeMillion(b *testing.B) {
	build := &Builder{Name: "p"}
	for i := range 1_000_000 {
		after := []string{}
		for j := max(0, i-3000); j < i-2997; j++ {
			after = append(after, fmt.Sprintf("s%d", j))
		}
		build.Add(fmt.Sprintf("s%d", i), after, Kind{Task: "noop"})
	}
	s, err := build.Build()
	if err != nil {
		b.Fatal(err)
	}
	encoded, err := s.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(encoded))/1e6, "MB")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
