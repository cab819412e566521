package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// body is a function whose body has so many statements without a blank line.
func body(statements int) string {
	return "package p\n\nfunc f(x int) {\n" + strings.Repeat("\tx++\n", statements) + "}\n"
}

func TestCheck_FindsEachKind(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"wide comment":  {"a.go", "package p\n\n// " + strings.Repeat("word ", 25) + "\n", "a.go:3: a line with a comment has"},
		"tabs are wide": {"a.go", "package p\n\nfunc f() {\n\n" + strings.Repeat("\t", 20) + "// twenty tabs are eighty columns\n\n}\n", "a.go:5: a line with a comment has"},
		"no paragraphs": {"a.go", body(maxUnbroken + 1), "a.go:3: f has 21 lines without a blank one"},
		"phrase":        {"docs/a.md", "The run is gone on with.\n", `docs/a.md:1: "gone on with": write resume`},
		"phrase in Go":  {"a.go", "package p\n\nconst text = `Nobody drives it`\n", `a.go:3: "Nobody": write the noun`},
		"many fields":   {"a.go", "package p\n\ntype t struct {\n" + strings.Repeat("\t_ int\n", maxFields+1) + "}\n", "a.go:3: p.t has 16 fields"},
		"many methods":  {"a.go", "package p\n\ntype t int\n" + methods(maxMethods+1), "a.go:3: p.t has 26 methods"},
	} {
		t.Run(name, func(t *testing.T) {
			found := findings(t, test.file, test.text)
			want := strings.Replace(test.want, "p.", "..", 1)
			if len(found) == 0 || !strings.HasPrefix(found[0], want) {
				t.Errorf("got %q, want %q", found, want)
			}
		})
	}
}

func methods(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\nfunc (t) m%d() {}\n", i)
	}
	return b.String()
}

func TestCheck_LetsGoodCodePass(t *testing.T) {
	for name, test := range map[string]struct{ file, text string }{
		"paragraphs":  {"a.go", strings.Replace(body(40), "x++\n", "x++\n\n\t// Why it is so.\n", 40)},
		"test":        {"a_test.go", body(60)},
		"one word":    {"a.go", "package p\n\n// https://example.org/" + strings.Repeat("a", 100) + "\n"},
		"test data":   {"testdata/a.md", "gone on with\n"},
		"own phrases": {"scripts/style/a.md", "gone on with\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if found := findings(t, test.file, test.text); len(found) > 0 {
				t.Errorf("got %q, want nothing", found)
			}
		})
	}
}

func TestCheck_ReadsNestedModules(t *testing.T) {
	report, err := check(fstest.MapFS{
		"bench/go.mod": {Data: []byte("module example.org/bench\n")},
		"bench/a.go":   {Data: []byte(body(maxUnbroken + 1))},
	})
	if err != nil {
		t.Fatal(err)
	}

	want := "bench/a.go:3: f has 21 lines without a blank one"
	if len(report.findings) == 0 || !strings.HasPrefix(report.findings[0], want) {
		t.Errorf("got %q, want %q first", report.findings, want)
	}
}

func TestCheck_CountsShares(t *testing.T) {
	report, err := check(fstest.MapFS{"a.go": {Data: []byte("package p\n\nfunc f(a, b int) {\n\ta, b = b, a\n\n\t// Why.\n\ta++\n}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := report.figures, (figures{bodyLines: 4, blankLines: 1, commentLines: 1, tuples: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// findings leaves out those about shares, which concern a module as a whole.
func findings(t *testing.T, file, text string) (found []string) {
	t.Helper()
	report, err := check(fstest.MapFS{file: {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.findings {
		if !strings.Contains(f, "function bodies are") {
			found = append(found, f)
		}
	}
	return found
}
