package picture

import (
	"fmt"
	"strings"

	"github.com/godags/godags/dag"
)

// styles are scoped to the picture, so that it can stand in a page.
func styles() string {
	var b strings.Builder
	b.WriteString(`
.godags{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
.godags text{font-size:11px;text-anchor:middle}
.godags .name{font-size:13px;font-weight:600}
.godags .title{font-size:18px;font-weight:600;text-anchor:start}
.godags .summary,.godags .legend{font-size:12px;text-anchor:start}
.godags .wires path{fill:none;stroke-width:1.3}
.godags .wires .tip{stroke:none}
.godags .wires g:hover path{stroke-width:2.6}
.godags .times{font-size:10px;paint-order:stroke;stroke-width:4px;stroke-linejoin:round}
.godags .path path{fill:none;stroke-width:2.8}
.godags .path .tip{stroke:none}
.godags .pilltext{font-size:9px;font-weight:600}
.godags .failed rect{stroke-width:2.2}
.godags .waiting rect,.godags .skipped rect,.godags .cancelled rect{stroke-dasharray:5 3}
`)

	writeTheme(&b, "#ffffff", "#0f172a", "#64748b", "#94a3b8", false)
	b.WriteString("@media (prefers-color-scheme:dark){\n")
	writeTheme(&b, "#0d1117", "#f1f5f9", "#94a3b8", "#66748a", true)
	b.WriteString("}\n")
	return b.String()
}

func writeTheme(b *strings.Builder, page, title, small, wire string, dark bool) {
	// Each rule begins with the class of the picture, so that no style of a page around it changes.
	fmt.Fprintf(b, ".godags .page{fill:%s}.godags .title{fill:%s}.godags .summary,.godags .legend{fill:%s}\n", page, title, small)
	fmt.Fprintf(b, ".godags .wires path{stroke:%s}.godags .wires .tip{fill:%s}\n", wire, wire)
	fmt.Fprintf(b, ".godags .wires g:hover path{stroke:%s}.godags .wires g:hover .tip{fill:%s}\n", title, title)
	fmt.Fprintf(b, ".godags .path path{stroke:%s}.godags .path .tip{fill:%s}\n", title, title)
	fmt.Fprintf(b, ".godags .times{fill:%s;stroke:%s}\n", small, page)
	class := func(name string, c colour) {
		fmt.Fprintf(b, ".godags .%s rect{fill:%s;stroke:%s}.godags .%s text{fill:%s}\n", name, c.fill, c.line, name, c.text)
	}
	pick := func(c struct{ light, dark colour }) colour {
		if dark {
			return c.dark
		}
		return c.light
	}

	class("plain", pick(plain))
	for s, c := range palette {
		class(dag.State(s).String(), pick(c))
		fmt.Fprintf(b, ".godags .swatch-%s{fill:%s}\n", dag.State(s), pick(c).line)
	}

	// After the states, whose lines they replace.
	fmt.Fprintf(b, ".godags .critical rect{stroke:%s;stroke-width:2.8}.godags g .pill{fill:%s;stroke:%s;stroke-width:1;stroke-dasharray:none}"+
		".godags g .pilltext{fill:%s}\n", title, page, small, title)
}
