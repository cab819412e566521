package picture

import (
	"github.com/godags/godags/dag"
	"os"
	"strings"
	"testing"
)

func TestWW(t *testing.T) {
	names := hostileNames()
	g := mk(t, func(b *dag.Builder) {
		for i, n := range names {
			if i == 0 {
				b.Add(n)
			} else {
				b.Add(n, names[(i-1)/2])
			}
		}
	})
	for _, f := range writers {
		file, _ := os.Create("/tmp/pic/hostile." + string(f.format))
		if err := Draw(file, Input{Name: `ho"st--&gt;ile <b>%%{init}%%`, Run: "r#1", Graph: g, State: func(s dag.StageID) dag.State { return dag.State(s % 7) }, Label: func(s dag.StageID) string {
			if s == 3 {
				return "a\nb\x1b[31m"
			}
			return ""
		}}, f.format); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
}
func hostileNames() []string {
	return []string{`say "hi"`, "<script>alert(1)<script>", "a]]>b", "&lt;&amp;&#65;", "日本語のステージ", "🚀 launch ❤️ 👍🏽", strings.Repeat("x", 200), "1. list item", "- dash", "**bold** `code` _it_", "%%{init: {}}%%", "end", "style:#fff;x", "a;b|c{d}e(f)g[h]", "#quot;", "é́ combining", "--> x", "$$x^2$$", "\"`md`\"", "click", strings.Repeat("漢", 66)}
}
