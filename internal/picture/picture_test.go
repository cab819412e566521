package picture

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godags/godags/dag"
)

var update = flag.Bool("update", false, "write the pictures to testdata instead of comparing them")

func build(t testing.TB, add func(*dag.Builder)) *dag.Graph {
	t.Helper()
	var b dag.Builder
	add(&b)
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func six(b *dag.Builder) {
	b.Add("stage_1")
	b.Add("stage_2")
	b.Add("stage_3", "stage_2")
	b.Add("stage_4", "stage_2")
	b.Add("stage_5", "stage_1")
	b.Add("stage_6", "stage_3", "stage_4", "stage_5")
}

var hostileNames = []string{
	`say "hi"`, "<script>alert(1)<script>", "a]]>b", "&lt;&amp;&#65;", "🚀 launch ❤️", strings.Repeat("x", 200), "--> end",
	"1. list", "**bold** `code` _it_", "%%{init: {}}%%", "style:#fff;x", "a;b|c{d}e(f)g[h]", "#quot;", "é combining", "$$x$$", "漢字の段階",
}

func hostile(b *dag.Builder) {
	for i, name := range hostileNames {
		if i == 0 {
			b.Add(name)
		} else {
			b.Add(name, hostileNames[(i-1)/3])
		}
	}
}

// layers makes stages l0_0 to l{height-1}_{width-1}, each after three of the layer above.
func layers(width, height int) func(*dag.Builder) {
	return func(b *dag.Builder) {
		b.Grow(width*height, 3*width*height)
		for l := range height {
			for i := range width {
				var after []string
				for k := 0; k < 3 && l > 0; k++ {
					after = append(after, fmt.Sprintf("l%d_%d", l-1, (i*(k+1)+k*k*l)%width))
				}
				b.Add(fmt.Sprintf("l%d_%d", l, i), after...)
			}
		}
	}
}

func run(name string, g *dag.Graph) Input {
	return Input{
		Name: name, Run: "r1", Graph: g,
		State: func(s dag.StageID) dag.State { return stateOrder[int(s)%len(stateOrder)] },
		Label: func(s dag.StageID) string { return []string{"", "1.5s", "12m"}[s%3] },
	}
}

func draw(t testing.TB, in Input, f Format) string {
	t.Helper()
	var out bytes.Buffer
	if err := Draw(&out, in, f); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPicturesLookAsBefore(t *testing.T) {
	all := []Format{DOT, SVG, Mermaid, ASCII, JSON}
	for _, c := range []struct {
		name    string
		add     func(*dag.Builder)
		formats []Format
	}{
		{"empty", func(*dag.Builder) {}, all},
		{"one", func(b *dag.Builder) { b.Add("only") }, all},
		{"six", six, all},
		{`hostile "<&>]]>`, hostile, all},
		{"layers", layers(10, 10), []Format{SVG, ASCII}},
		{"collapsed", layers(50, 7), []Format{DOT, SVG, Mermaid, ASCII}},
	} {
		g := build(t, c.add)
		for _, in := range []Input{{Name: c.name, Graph: g}, run(c.name, g)} {
			for _, f := range c.formats {
				file, _, _ := strings.Cut(c.name, " ")
				if in.Run != "" {
					file += "-run"
				}
				golden(t, filepath.Join("testdata", file+"."+string(f)), draw(t, in, f))
			}
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at the new picture, then run the test with -update. Got:\n%s", file, got)
	}
}

func TestSameInputSamePicture(t *testing.T) {
	in := run("p", build(t, layers(17, 12)))
	for _, w := range writers {
		first := draw(t, in, w.format)
		for range 5 {
			if draw(t, in, w.format) != first {
				t.Errorf("%s differs from one drawing to the next", w.format)
			}
		}
	}
}

func TestParseFormat(t *testing.T) {
	for _, w := range writers {
		if f, err := ParseFormat(strings.ToUpper(string(w.format))); f != w.format || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", w.format, f, err)
		}
	}
	for s, want := range map[string]string{
		"memraid": "did you mean mermaid?",
		"svgz":    "did you mean svg?",
		"pdf":     "use one of dot, svg, mermaid, ascii, json",
	} {
		if _, err := ParseFormat(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFormat(%q) says %v, want %q in it", s, err, want)
		}
	}
	if err := Draw(&bytes.Buffer{}, Input{Graph: build(t, six)}, "pdf"); err == nil {
		t.Error("Draw accepts a format that does not exist")
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestFailedWriteIsReported(t *testing.T) {
	for _, w := range writers {
		if err := Draw(fullDisk{}, Input{Graph: build(t, layers(20, 20))}, w.format); !errors.Is(err, errFull) {
			t.Errorf("%s: error is %v", w.format, err)
		}
	}
}

func TestJSONHasEveryStage(t *testing.T) {
	g := build(t, layers(40, 30))
	in := run(`p"<`, g)
	decoder := json.NewDecoder(strings.NewReader(draw(t, in, JSON)))
	decoder.DisallowUnknownFields()
	var d Document
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	if d.Name != in.Name || d.Run != in.Run || d.Collapsed || d.Edges != g.Edges() || len(d.Stages) != g.Len() {
		t.Errorf("got %q %q, %d stages, %d edges, collapsed: %v", d.Name, d.Run, len(d.Stages), d.Edges, d.Collapsed)
	}
	for s, got := range d.Stages {
		if want := stageOf(in, dag.StageID(s)); fmt.Sprint(got) != fmt.Sprint(want) || got.After == nil {
			t.Errorf("stage %d is %v, want %v", s, got, want)
		}
	}
}

func TestRunShowsEveryStateAsWord(t *testing.T) {
	in := run("p", build(t, layers(8, 1)))
	for _, w := range writers {
		text := draw(t, in, w.format)
		for _, s := range stateOrder {
			if !strings.Contains(text, s.String()) {
				t.Errorf("%s does not say %q", w.format, s)
			}
		}
	}
	if strings.Contains(draw(t, in, ASCII), "\x1b") {
		t.Error("ascii has colour codes")
	}
}

func TestControlCharactersDoNotGetThrough(t *testing.T) {
	in := run("p\x1b]0;x\x07", build(t, six))
	in.Label = func(dag.StageID) string { return "\x1b[31m\x00\xff\u202e" }
	for _, w := range writers {
		if text := draw(t, in, w.format); strings.ContainsAny(text, "\x1b\x00\x07\u202e") {
			t.Errorf("%s lets control characters through", w.format)
		}
	}
}

func TestTheCriticalPathAndAttemptsAreMarked(t *testing.T) {
	in := run("p", build(t, six))
	in.Path = []dag.StageID{1, 3, 5}
	in.Badge = func(s dag.StageID) string { return []string{"", "3 attempts"}[s%2] }
	in.Hover = func(s dag.StageID) []string { return []string{fmt.Sprintf("tip %d <", s)} }
	for f, want := range map[Format][]string{
		ASCII:   {"* critical path", "* stage_4", "3 attempts"},
		SVG:     {`<g class="path">`, "cancelled critical", "3 attempts, on the critical path\ntip 3 &lt;</title>", `class="pill"`},
		DOT:     {"penwidth", "3 attempts"},
		Mermaid: {"n1 ==> n3", "n3 ==> n5", "n0 --> n4", "class n1,n3,n5 critical", "3 attempts"},
	} {
		text := draw(t, in, f)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%s", f, w, text)
			}
		}
	}
	if n := strings.Count(draw(t, in, SVG), `<g class="path">`); n != 2 {
		t.Errorf("%d edges are marked, want 2", n)
	}

	// The edge between two groups is marked, too.
	in = run("p", build(t, layers(50, 7)))
	in.Path = []dag.StageID{0, 50}
	if text := draw(t, in, SVG); strings.Count(text, `<g class="path">`) != 1 || strings.Count(text, " critical\">") != 2 {
		t.Error("the groups of the critical path are not marked")
	}
}
