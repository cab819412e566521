package picture

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/term"
)

// mermaidLimits are what Mermaid accepts with its default settings, which a picture cannot change:
// 500 edges.
var mermaidLimits = limits{nodes: usual.nodes, edges: 500, full: 500}

func writeMermaid(w *bufio.Writer, in Input) error {
	if n := in.Graph.Edges(); in.Full && n > mermaidLimits.edges {
		return fmt.Errorf("a Mermaid picture has at most %d dependencies, and not %s: choose another format", mermaidLimits.edges, commas(n))
	}
	s := newSketch(in, mermaidLimits)

	// Unlike labels, a title cannot have entities.
	title := strings.NewReplacer("<", "‹", ">", "›").Replace(s.heading() + ": " + s.summary())
	fmt.Fprintf(w, "---\ntitle: %q\n---\nflowchart TD\n", title)
	members := map[dag.State][]string{}
	var critical []string
	for i := range s.nodes {
		n := &s.nodes[i]
		text := []string{entities(term.Shorten(n.name, 40))}
		for _, line := range n.details() {
			text = append(text, entities(line))
		}

		open := "("
		shut := ")"
		if n.count > 1 {
			open = "[["
			shut = "]]"
		}

		fmt.Fprintf(w, "  n%d%s\"%s\"%s\n", i, open, strings.Join(text, "<br>"), shut)
		if n.critical {
			critical = append(critical, fmt.Sprintf("n%d", i))
		}
		if state, ok := n.counters.state(); ok {
			members[state] = append(members[state], fmt.Sprintf("n%d", i))
		}
	}

	for _, e := range s.edges {
		arrow := "-->"
		if e.critical {
			arrow = "==>"
		}
		if e.count > 1 {
			arrow += "|" + e.times() + "|"
		}
		fmt.Fprintf(w, "  n%d %s n%d\n", e.from, arrow, e.to)
	}

	// One class for each state keeps the text short: Mermaid refuses more than 50,000 characters.
	for state, c := range palette {
		if names := members[dag.State(state)]; names != nil {
			fmt.Fprintf(w, "  classDef %s fill:%s,stroke:%s,color:%s\n", dag.State(state), c.light.fill, c.light.line, c.light.text)
			fmt.Fprintf(w, "  class %s %s\n", strings.Join(names, ","), dag.State(state))
		}
	}

	if critical != nil {
		fmt.Fprintf(w, "  classDef critical stroke-width:4px\n  class %s critical\n", strings.Join(critical, ","))
	}
	return nil
}

// entities writes everything as Mermaid's entities that Mermaid, or the Markdown in its labels,
// could take for markup.
func entities(s string) string {
	var b strings.Builder
	runes := []rune(strings.ReplaceAll(s, "$$", "＄＄")) // else a formula, even as entities
	for i, r := range runes {
		inside := i > 0 && i+1 < len(runes) && alphanumeric(runes[i-1]) && alphanumeric(runes[i+1])
		if r >= 0x80 || r == ' ' || alphanumeric(r) || inside && strings.ContainsRune("_-.,", r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "#%d;", r)
		}
	}

	return b.String()
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
