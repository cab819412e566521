package dag

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// problemsOf returns what is wrong with the pipeline.
func problemsOf(t testing.TB, b *Builder) []Problem {
	t.Helper()
	g, err := b.Build()
	var invalid *InvalidError
	if !errors.As(err, &invalid) || g != nil {
		t.Fatalf("Build returned %v, %v; want an InvalidError", g, err)
	}
	return invalid.Problems
}

func TestBuildReportsEverythingAtOnce(t *testing.T) {
	var b Builder
	b.Add("ingest")
	b.Add("train", "ingset", "ingest", "train")
	b.Add("a/b", "train")
	b.Add("ingest", "report")
	b.Add("x", "y")
	b.Add("y", "z", "ingest")
	b.Add("z", "x")
	b.Add("last", "", "z")

	want := []Problem{
		{Kind: UnknownDependency, Stage: 1, Name: "train", Dep: 0, Dependency: "ingset", Suggestion: "ingest"},
		{Kind: SelfDependency, Stage: 1, Name: "train", Dep: 2, Dependency: "train"},
		{Kind: IllegalName, Stage: 2, Name: "a/b", Dep: -1, Reason: "it has a slash"},
		{Kind: DuplicateName, Stage: 3, Name: "ingest", Dep: -1, First: 0},
		{Kind: UnknownDependency, Stage: 3, Name: "ingest", Dep: 0, Dependency: "report"},
		{Kind: Cycle, Stage: 4, Name: "x", Dep: -1, Path: []string{"x", "y", "z", "x"}},
		{Kind: UnknownDependency, Stage: 7, Name: "last", Dep: 0, Dependency: ""},
	}
	got := problemsOf(t, &b)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("problem %d: got %+v, want %+v", i, got[i:], want[min(i, len(want)):])
		}
	}

	_, err := b.Build()
	if text := err.Error(); text != strings.TrimSpace(`
invalid pipeline: 7 problem(s)
  stage "train" comes after "ingset", which does not exist (did you mean "ingest"?)
  stage "train" comes after itself
  stage "a/b": illegal name: it has a slash
  stage "ingest" is defined twice
  stage "ingest" comes after "report", which does not exist
  these stages wait for each other: "x" -> "y" -> "z" -> "x"
  stage "last" comes after "", which does not exist`) {
		t.Errorf("the error reads\n%s", text)
	}
}

func TestBuildAgainAfterMoreStages(t *testing.T) {
	b := builderOf("a:", "b: a c")
	problemsOf(t, b)
	b.Add("c", "a")
	first, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	b.Add("d", "b")
	second, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if first.Len() != 3 || first.Edges() != 3 || second.Len() != 4 || second.Edges() != 4 {
		t.Errorf("the first graph has %d stages and %d edges, the second %d and %d", first.Len(), first.Edges(), second.Len(), second.Edges())
	}
}

func TestDuplicateNamesPointToTheFirst(t *testing.T) {
	var got []string
	for _, p := range problemsOf(t, builderOf("a:", "b:", "a: b", "b:", "a:")) {
		got = append(got, fmt.Sprintf("%d is %d (%v)", p.Stage, p.First, p))
	}
	want := []string{`2 is 0 (stage "a" is defined twice)`, `3 is 1 (stage "b" is defined twice)`, `4 is 0 (stage "a" is defined twice)`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSuggestions(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"preprocess:", "train: preproces"}, "preprocess"},
		{[]string{"preprocess:", "train: deploy"}, ""},
		// not the stage itself, which is as near
		{[]string{"train_1: train_3", "train_2:"}, "train_2"},
		{[]string{"train: trian"}, ""},
	} {
		if got := problemsOf(t, builderOf(c.lines...))[0].Suggestion; got != c.want {
			t.Errorf("%q: suggestion %q, want %q", c.lines, got, c.want)
		}
	}
}

func TestOnlyTheFirstProblemsGetSuggestions(t *testing.T) {
	b := builderOf("ingest:")
	for i := range 30 {
		b.Add(fmt.Sprint("s", i), "ingset")
	}
	problems := problemsOf(t, b)
	for i, p := range problems {
		if (p.Suggestion == "ingest") != (i < 20) {
			t.Errorf("problem %d has the suggestion %q", i, p.Suggestion)
		}
	}
	text := (&InvalidError{problems}).Error()
	if lines := strings.Split(text, "\n"); len(lines) != 22 || lines[21] != "  ... and 10 more" {
		t.Errorf("the error reads\n%s", text)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, reason string }{
		{"a", ""},
		{"train model 2", ""},
		{"größe-β_3.5(x)", ""},
		{"...", ""},
		{`"quoted"`, ""},
		{strings.Repeat("x", MaxName), ""},
		{strings.Repeat("x", MaxName+1), "it is longer than 200 bytes"},
		{strings.Repeat("é", MaxName/2+1), "it is longer than 200 bytes"},
		{"", "it is empty"},
		{"\xff", "it is not UTF-8"},
		{".", "it is a folder's name"},
		{"..", "it is a folder's name"},
		{"a/b", "it has a slash"},
		{`a\b`, "it has a slash"},
		{" a", "it begins or ends with a space"},
		{"a ", "it begins or ends with a space"},
		{" ", "it begins or ends with a space"},
		{"a\n", "it begins or ends with a space"},
		{"a\tb", "it has a character that cannot be printed"},
		{"a\x00b", "it has a character that cannot be printed"},
		{"\x1b[31mred", "it has a character that cannot be printed"},
		{"left\u202eright", "it has a character that cannot be printed"},
		{"no\u00a0break", "it has a character that cannot be printed"},
		{"zero\u200bwidth", "it has a character that cannot be printed"},
	} {
		err := CheckName(c.name)
		if (err == nil) != (c.reason == "") || err != nil && !strings.HasSuffix(err.Error(), ": "+c.reason) {
			t.Errorf("CheckName(%q): %v, want %q", c.name, err, c.reason)
		}
		var b Builder
		b.Add(c.name)
		if c.reason == "" {
			if _, err := b.Build(); err != nil {
				t.Errorf("Build of %q: %v", c.name, err)
			}
		} else if p := problemsOf(t, &b)[0]; p.Kind != IllegalName || p.Reason != c.reason || p.Name != c.name {
			t.Errorf("Build of %q: %+v, want the reason %q", c.name, p, c.reason)
		}
	}
}

// What a name holds must not reach the terminal, and not fill it.
func TestErrorsQuoteNames(t *testing.T) {
	text := CheckName("\x1b[2J" + strings.Repeat("x", 5000)).Error()
	if strings.Contains(text, "\x1b") || !strings.Contains(text, `"\x1b[2Jxxx`) || len(text) > 150 {
		t.Errorf("the error reads %q", text)
	}
	for n, want := range map[int]string{80: strings.Repeat("é", 80), 81: strings.Repeat("é", 77) + "..."} {
		if got := quote(strings.Repeat("é", n)); got != `"`+want+`"` {
			t.Errorf("a name of %d characters is quoted as %s", n, got)
		}
	}
}

func TestDependenciesKeepTheirOrder(t *testing.T) {
	names := func(n int) (lines, all []string) {
		for i := range n {
			all = append(all, fmt.Sprint("s", i))
			lines = append(lines, all[i]+":")
		}
		return lines, all
	}
	for _, n := range []int{1, 2, manyDeps - 1, manyDeps, manyDeps + 1, manyDeps + 2, 200} {
		lines, after := names(n)
		slices.Reverse(after)
		repeated := slices.Concat(after, after, after[:n/2], []string{"s0"})
		g := build(t, append(lines, "end: "+strings.Join(repeated, " "), "tail: s0 end s0")...)
		var got []string
		end, _ := g.Lookup("end")
		for _, d := range g.Deps(end) {
			got = append(got, g.Name(d))
		}
		if !slices.Equal(got, after) || g.Edges() != n+2 {
			t.Errorf("%d dependencies became %d: %v, and there are %d edges", n, len(got), got, g.Edges())
		}
	}
}

func TestSelfDependencyIsReportedForEachMention(t *testing.T) {
	problems := problemsOf(t, builderOf("a:", "b: b a b"))
	if len(problems) != 2 || problems[0].Kind != SelfDependency || problems[0].Dep != 0 || problems[1].Dep != 2 {
		t.Errorf("problems %+v", problems)
	}
}

func TestGrowIsOnlyAHint(t *testing.T) {
	var b Builder
	b.Grow(1, 1)
	for i := range 5 {
		b.Add(fmt.Sprint(i), fmt.Sprint(max(0, i-1)))
	}
	if p := problemsOf(t, &b); len(p) != 1 || p[0].Kind != SelfDependency {
		t.Errorf("problems %v", p)
	}
}
