package picture

import "github.com/godags/godags/dag"

// colour is how a box looks: always with a word beside it. All are #rrggbb, the only form that
// Graphviz 2.42 knows.
type colour struct{ fill, line, text string }

// plain is the box of a pipeline that is not run.
var plain = struct{ light, dark colour }{
	colour{"#f8fafc", "#64748b", "#1e293b"},
	colour{"#1c2430", "#7d8ca3", "#e2e8f0"},
}

// palette follows Okabe and Ito: the hues stay apart for colour-blind eyes.
var palette = [...]struct{ light, dark colour }{
	dag.Waiting:   {colour{"#f3f4f6", "#9aa1ab", "#4b525c"}, colour{"#20252c", "#6b7480", "#b3bac4"}},
	dag.Ready:     {colour{"#e3f3fd", "#56b4e9", "#155c8a"}, colour{"#12303f", "#56b4e9", "#a5daf7"}},
	dag.Running:   {colour{"#d3e6f8", "#0072b2", "#004b78"}, colour{"#0d2f4f", "#3d9be0", "#b4d9fa"}},
	dag.Retrying:  {colour{"#fbeacb", "#e69f00", "#7a5400"}, colour{"#3d2e0a", "#e69f00", "#f7d894"}},
	dag.Succeeded: {colour{"#dcf3ea", "#009e73", "#00593f"}, colour{"#0d3a2e", "#1fb98d", "#9fe8cf"}},
	dag.Failed:    {colour{"#fddfcd", "#d55e00", "#8a3400"}, colour{"#4d2408", "#f0772a", "#ffcfae"}},
	dag.Skipped:   {colour{"#fdf6d3", "#b39b00", "#635500"}, colour{"#38320c", "#c9b326", "#efe3a0"}},
	dag.Cancelled: {colour{"#f8e3ef", "#c0679a", "#7d2c5a"}, colour{"#41203a", "#d287b3", "#f3c6de"}},
}

// colours returns the colours of a node on a light page.
func (n *node) colours() colour {
	// DOT has no dark mode, so it gets the light colours.
	if s, ok := n.counters.state(); ok {
		return palette[s].light
	}
	return plain.light
}
