package dag

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCycles(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"two stages", []string{"a: b", "b: a"}, []string{`"a" -> "b" -> "a"`}},
		{"what is before and behind is no part of it", []string{"end: b", "a: first b", "b: a", "first:"}, []string{`"b" -> "a" -> "b"`}},
		{"apart", []string{"a: b", "b: a", "c: d", "d: e", "e: c"}, []string{`"a" -> "b" -> "a"`, `"c" -> "d" -> "e" -> "c"`}},
		{"one behind another", []string{"a: c b", "b: a", "c: d", "d: c"}, []string{`"a" -> "b" -> "a"`, `"c" -> "d" -> "c"`}},
		{"one before another", []string{"c: d", "d: c", "a: b c", "b: a"}, []string{`"c" -> "d" -> "c"`, `"a" -> "b" -> "a"`}},
		{"in a ring of cycles", []string{"a: b c", "b: a", "c: d", "d: c a"}, []string{`"a" -> "b" -> "a"`, `"c" -> "d" -> "c"`}},
		{"one stage in common", []string{"a: b c", "b: a", "c: a"}, []string{`"a" -> "b" -> "a"`}},
	} {
		var got []string
		for _, p := range problemsOf(t, builderOf(c.lines...)) {
			if p.Kind != Cycle || p.Name != p.Path[0] || p.Dep != -1 {
				t.Errorf("%s: %+v", c.name, p)
			}
			got = append(got, strings.TrimPrefix(p.String(), "these stages wait for each other: "))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLongCyclesAreCutInText(t *testing.T) {
	for n, want := range map[int]string{
		11: `"s0" -> "s1" -> "s2" -> "s3" -> "s4" -> "s5" -> "s6" -> "s7" -> "s8" -> "s9" -> "s10" -> "s0"`,
		12: `"s0" -> "s1" -> "s2" -> "s3" -> "s4" -> "s5" -> ... 1 more ... -> "s7" -> "s8" -> "s9" -> "s10" -> "s11" -> "s0"`,
		99: `"s0" -> "s1" -> "s2" -> "s3" -> "s4" -> "s5" -> ... 88 more ... -> "s94" -> "s95" -> "s96" -> "s97" -> "s98" -> "s0"`,
	} {
		var b Builder
		for i := range n {
			b.Add(fmt.Sprint("s", i), fmt.Sprint("s", (i+1)%n))
		}
		p := problemsOf(t, &b)[0]
		if got := p.String(); !strings.HasSuffix(got, ": "+want) || len(p.Path) != n+1 {
			t.Errorf("a cycle of %d stages reads %s", n, got)
		}
	}
}

// TestCyclesAreRealAndComplete: every path that is reported is a cycle, none has a stage of
// another, and without their stages the graph has none.
func TestCyclesAreRealAndComplete(t *testing.T) {
	check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 6), rapid.IntRange(1, 30)).Draw(t, "stages")
		after := make(map[string][]string)
		var b Builder
		for i := range n {
			name := fmt.Sprint("s", i)
			for _, d := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 3).Draw(t, "after") {
				if d != i {
					after[name] = append(after[name], fmt.Sprint("s", d))
				}
			}
			b.Add(name, after[name]...)
		}
		_, err := b.Build()
		broken := make(map[string]bool)
		var invalid *InvalidError
		if errors.As(err, &invalid) {
			for _, p := range invalid.Problems {
				for i, name := range p.Path[1:] {
					if !slices.Contains(after[p.Path[i]], name) || broken[name] {
						t.Fatalf("%v: %s does not come after %s, or is in another cycle", p, p.Path[i], name)
					}
				}
				for _, name := range p.Path {
					broken[name] = true
				}
			}
		}
		for name := range after {
			if inCycle(name, name, after, broken, make(map[string]bool)) {
				t.Fatalf("%s is in a cycle, and Build says only: %v", name, err)
			}
		}
	})
}

// inCycle reports whether a path without broken stages leads from a stage to the target.
func inCycle(from, target string, after map[string][]string, broken, seen map[string]bool) bool {
	if broken[from] || seen[from] {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(after[from], func(d string) bool {
		return d == target && !broken[d] || inCycle(d, target, after, broken, seen)
	})
}

// A graph of nothing but problems must not take quadratic time.
func TestManyCycles(t *testing.T) {
	const pairs = 100_000
	var b Builder
	// each pair also waits for the pair before, and the last stage for all of them
	for i := range pairs {
		a, z := fmt.Sprint("a", i), fmt.Sprint("z", i)
		b.Add(a, fmt.Sprint("a", max(0, i-1)), z)
		b.Add(z, a)
	}
	all := make([]string, pairs)
	for i := range all {
		all[i] = fmt.Sprint("a", i)
	}
	b.Add("first", all...)
	cycles := 0
	for _, p := range problemsOf(t, &b) {
		if p.Kind == Cycle {
			cycles++
		}
	}
	if cycles != pairs {
		t.Errorf("%d cycles, want %d", cycles, pairs)
	}
}
