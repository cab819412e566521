package picture

import (
	"bufio"
	"fmt"
	"math"
	"strings"

	"github.com/emicklei/dot"

	"github.com/godags/godags/internal/term"
)

func writeDOT(w *bufio.Writer, in Input) error {
	s := newSketch(in, usual)
	g := dot.NewGraph(dot.Directed)
	g.ID(string(quoted(s.name)))
	g.Attrs("rankdir", "TB", "fontname", "Helvetica", "fontsize", "16", "labelloc", "t",
		"label", quoted(s.heading(), s.summary(), strings.Join(s.counters.parts(), ", ")))
	nodes := make([]dot.Node, len(s.nodes))
	for i := range s.nodes {
		nodes[i] = dotNode(g, i, &s.nodes[i])
	}

	for _, e := range s.edges {
		line := g.Edge(nodes[e.from], nodes[e.to]).Attr("color", "#8a94a3").Attr("arrowsize", "0.7")
		if e.critical {
			line.Attr("color", "#0f172a").Attr("penwidth", "3")
		}
		if e.count > 1 {
			line.Attr("label", quoted(" "+e.times())).Attr("fontname", "Helvetica").Attr("fontsize", "9").
				Attr("fontcolor", "#64748b").Attr("penwidth", fmt.Sprintf("%.1f", thickness(e.count)))
		}
	}

	_, err := w.WriteString(g.String())
	return err
}

func dotNode(g *dot.Graph, i int, n *node) dot.Node {
	c := n.colours()
	d := g.Node(fmt.Sprintf("%09d", i)) // the writer sorts by this
	d.Attrs("label", quoted(append([]string{term.Shorten(n.name, 40)}, n.details()...)...), "tooltip", quoted(n.title()),
		"shape", "box", "style", "rounded,filled", "fontname", "Helvetica", "fontsize", "12", "margin", "0.15,0.08",
		"fillcolor", c.fill, "color", c.line, "fontcolor", c.text)
	if n.count > 1 {
		d.Attr("peripheries", "2")
	}
	if n.critical {
		d.Attr("penwidth", "3")
	}
	return d
}

// thickness makes an edge that stands for many dependencies thicker: 1 for one, 1.5 for ten, 2 for
// a hundred.
func thickness(count int) float64 { return 1 + math.Log10(float64(count))/2 }

// quoted makes a DOT string of lines that are not empty. Graphviz reads backslashes and HTML
// entities in labels, so both are escaped.
func quoted(lines ...string) dot.Literal {
	lines = strings.FieldsFunc(strings.Join(lines, "\n"), func(r rune) bool { return r == '\n' })
	text := strings.NewReplacer(`"`, `\"`, `\`, `\\`, `&`, `&amp;`).Replace(strings.Join(lines, "\n"))
	return dot.Literal(`"` + strings.ReplaceAll(text, "\n", `\n`) + `"`)
}
