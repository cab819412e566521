package picture

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/godags/godags/dag"
)

// graphviz returns what dot makes of text.
func graphviz(t *testing.T, text, format string) string {
	t.Helper()
	dot, err := exec.LookPath("dot")
	if err != nil {
		if os.Getenv("GODAGS_TEST_STRICT") == "1" {
			t.Fatal("dot is missing: install graphviz")
		}
		t.Skip("dot is missing: install graphviz")
	}
	cmd := exec.Command(dot, "-T"+format)
	cmd.Stdin = strings.NewReader(text)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil || problems.Len() > 0 {
		t.Fatalf("dot: %v\n%s\n%s", err, problems.String(), text)
	}
	return out.String()
}

func TestGraphvizAcceptsDOT(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it draws large graphs with Graphviz")
	}
	for name, add := range map[string]func(*dag.Builder){
		"empty": func(*dag.Builder) {}, "six": six, "hostile": hostile, "collapsed": layers(80, 9),
	} {
		g := build(t, add)
		for _, in := range []Input{{Name: name, Graph: g}, run(name, g)} {
			graphviz(t, draw(t, in, DOT), "canon")
		}
	}
}

func TestGraphvizShowsNamesAsTheyAre(t *testing.T) {
	text := graphviz(t, draw(t, Input{Name: `"p" &amp; <q>`, Graph: build(t, hostile)}, DOT), "svg")
	for _, want := range append(hostileNames[:5:5], `"p" &amp; <q>`) {
		// as dot escapes text for XML
		shown := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "--", "&#45;&#45;", "-", "&#45;").Replace(want)
		if !strings.Contains(text, ">"+shown+"<") {
			t.Errorf("%q is not shown; looked for %q", want, shown)
		}
	}
}
