package pipefile

import (
	"fmt"
	"strings"
	"testing"
)

// layered is a file of n stages, each after three of the stages before.
func layered(ext string, n int) []byte {
	var b strings.Builder
	before := func(i, k int) int { return max(i-k*7, 0) }
	if ext == ".json" {
		b.WriteString(`{"name": "layered", "stages": [{"name": "stage-0"}`)
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, ",\n"+`{"name": "stage-%d", "after": ["stage-%d", "stage-%d", "stage-%d"], "task": "sleep", "params": {"duration": "%dms"}}`,
				i, i-1, before(i, 1), before(i, 2), i%100)
		}
		b.WriteString("]}")
		return []byte(b.String())
	}
	b.WriteString("name: layered\nstages:\n  - name: stage-0\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  - name: stage-%d\n    after: [stage-%d, stage-%d, stage-%d]\n    task: sleep\n    params: {duration: %dms}\n",
			i, i-1, before(i, 1), before(i, 2), i%100)
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for _, ext := range []string{".json", ".yaml"} {
		for _, n := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("%s-%d", ext[1:], n), func(b *testing.B) {
				data := layered(ext, n)
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					if sp, err := Parse("layered"+ext, data, nil); err != nil || sp.Graph.Len() != n {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Every stage has a condition, and policies, for itself.
func BenchmarkParsePolicies(b *testing.B) {
	const n = 10_000
	var text strings.Builder
	text.WriteString("params: {seed: 1}\ndefaults: {timeout: 10m, retries: 1}\nstages:\n  - {name: stage-0, run: ls}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&text, "  - {name: stage-%d, after: stage-%d, run: ls, retries: %d, backoff: 10s, when: 'params.seed > %d && outputs[\"stage-%d\"] != nil'}\n", i, i-1, i%5, i, i-1)
	}
	b.ReportAllocs()
	for b.Loop() {
		if sp, err := Parse("policies.yaml", []byte(text.String()), nil); err != nil || sp.Graph.Len() != n {
			b.Fatal(err)
		}
	}
}
