package picture

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"testing"

	"github.com/godags/godags/dag"
)

func mk(t testing.TB, f func(b *dag.Builder)) *dag.Graph {
	var b dag.Builder
	f(&b)
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func layered(n, w, d int, r *rand.Rand) func(b *dag.Builder) {
	return func(b *dag.Builder) {
		for l := range n {
			for i := range w {
				var after []string
				if l > 0 {
					for range d {
						after = append(after, fmt.Sprintf("l%d_%d", l-1, r.Intn(w)))
					}
				}
				b.Add(fmt.Sprintf("l%d_%d", l, i), after...)
			}
		}
	}
}

func random(n int, d int, r *rand.Rand) func(b *dag.Builder) {
	words := []string{"load", "clean", "train", "evaluate", "preprocess", "merge", "features", "report", "publish", "sample"}
	return func(b *dag.Builder) {
		var names []string
		for i := range n {
			var after []string
			if i > 0 {
				for range r.Intn(d + 1) {
					k := i - 1 - r.Intn(min(i, 12))
					after = append(after, names[k])
				}
			}
			names = append(names, fmt.Sprintf("%s_%d", words[r.Intn(len(words))], i))
			b.Add(names[i], after...)
		}
	}
}

func TestZZ(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	os.MkdirAll("/tmp/pic", 0o755)
	graphs := map[string]*dag.Graph{
		"six": mk(t, func(b *dag.Builder) {
			b.Add("stage_1")
			b.Add("stage_2")
			b.Add("stage_3", "stage_2")
			b.Add("stage_4", "stage_2")
			b.Add("stage_5", "stage_1")
			b.Add("stage_6", "stage_3", "stage_4", "stage_5")
		}),
		"ml": mk(t, func(b *dag.Builder) {
			b.Add("ingest")
			b.Add("validate_schema", "ingest")
			b.Add("preprocess", "validate_schema")
			var trees []string
			for i := range 20 {
				trees = append(trees, fmt.Sprintf("grow_tree[%d]", i))
				b.Add(trees[i], "preprocess")
			}
			b.Add("merge", trees...)
			b.Add("baseline", "preprocess")
			b.Add("accuracy", "merge", "preprocess")
			b.Add("confusion matrix", "merge", "preprocess")
			b.Add("report", "accuracy", "confusion matrix", "baseline", "ingest")
			b.Add("publish", "report")
			b.Add("notify", "report")
		}),
		"fan100": mk(t, func(b *dag.Builder) {
			b.Add("split")
			var all []string
			for i := range 98 {
				all = append(all, fmt.Sprintf("train[%d]", i))
				b.Add(all[i], "split")
			}
			b.Add("join", all...)
		}),
		"chains": mk(t, func(b *dag.Builder) {
			b.Add("start")
			var all []string
			for c := range 58 {
				last := "start"
				for i := range 5 {
					name := fmt.Sprintf("c%d_s%d", c, i)
					b.Add(name, last)
					last = name
				}
				all = append(all, last)
			}
			b.Add("end", all...)
		}),
		"l10x10":  mk(t, layered(10, 10, 3, r)),
		"l3x10":   mk(t, layered(3, 10, 2, r)),
		"l10x30":  mk(t, layered(10, 30, 2, r)),
		"rand30":  mk(t, random(30, 2, r)),
		"rand100": mk(t, random(100, 2, r)),
		"rand300": mk(t, random(300, 2, r)),
		"groups":  mk(t, layered(12, 400, 3, r)),
	}
	for name, g := range graphs {
		labels := func(s dag.StageID) string {
			if s%3 == 0 {
				return ""
			}
			return fmt.Sprintf("%d.%ds", s%7, s%10)
		}
		state := func(s dag.StageID) dag.State {
			f := float64(s) / float64(g.Len())
			switch {
			case f < 0.5:
				if s%17 == 5 {
					return dag.Failed
				}
				return dag.Succeeded
			case f < 0.65:
				return dag.Running
			case f < 0.75:
				return dag.Ready
			}
			if s%9 == 1 {
				return dag.Skipped
			}
			if s%9 == 2 {
				return dag.Cancelled
			}
			return dag.Waiting
		}
		for _, in := range []Input{{Name: name, Graph: g}, {Name: name, Run: "01JXRUN", Graph: g, State: state, Label: labels}} {
			for _, f := range writers {
				out := "/tmp/pic/" + name
				if in.Run != "" {
					out += "-run"
				}
				file, _ := os.Create(out + "." + string(f.format))
				b := bufio.NewWriter(file)
				if err := Draw(b, in, f.format); err != nil {
					t.Fatal(err)
				}
				b.Flush()
				file.Close()
			}
		}
	}
}
