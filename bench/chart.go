package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// panels are the parts of the chart: figures as stages a second.
var panels = []struct {
	title, what string
	rate        func(value float64) float64
}{
	{"Chain of 200", chainHop, func(ms float64) float64 { return 1000 / ms }},
	{"1 → 5,000 → 1", fanRate, same},
	{"50 layers of 100, three parents each", layerRate, same},
	{"500 commands, 10 layers of 50", shellRate, same},
}

func same(v float64) float64 { return v }

// bar is a system in a panel.
type bar struct {
	who                 string
	slow, typical, fast float64
}

func (r *report) bars(what string, rate func(float64) float64) (bars []bar) {
	for _, s := range r.Series {
		if s.What == what {
			low, high := rate(s.min()), rate(s.max())
			bars = append(bars, bar{s.Who, min(low, high), rate(s.median()), max(low, high)})
		}
	}
	slices.SortStableFunc(bars, func(a, b bar) int { return cmp.Compare(b.typical, a.typical) })
	return bars
}

// Measures of the chart. Its scale is logarithmic: from 100 stages a second on, each decade has the
// same width.
const (
	chartWidth = 920
	labelWidth = 190
	barHeight  = 16
	barStep    = 23
	panelHead  = 48
	firstRate  = 100
	decades    = 3
	decade     = 195
)

const chartStyle = `  <style>
    .ours { fill: #0969da }
    .alone { fill: #80b3ee }
    .asynq { fill: #bc4c00 }
    .other { fill: #8c959f }
    .title { font-weight: 600; fill: #1f2328 }
    .text { fill: #424a53; font-size: 12.5px }
    .note { fill: #6e7781; font-size: 11.5px }
    .grid { stroke: #d0d7de }
    .range { stroke: #1f2328 }
    @media (prefers-color-scheme: dark) {
      .ours { fill: #58a6ff }
      .alone { fill: #2f5f95 }
      .asynq { fill: #db6d28 }
      .other { fill: #6e7681 }
      .title { fill: #e6edf3 }
      .text { fill: #c4ccd4 }
      .note { fill: #9198a1 }
      .grid { stroke: #30363d }
      .range { stroke: #e6edf3 }
    }
  </style>
`

// chart draws stages a second as an SVG.
func (r *report) chart() string {
	var body strings.Builder
	y := 0
	for _, p := range panels {
		if bars := r.bars(p.what, p.rate); len(bars) > 0 {
			y = drawPanel(&body, y, p.title, bars)
		}
	}

	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="title about" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="14">
  <title id="title">Stages a second</title>
  <desc id="about">Bars for each system and shape, on a logarithmic scale. The figures are in the table of the page.</desc>
%s%s</svg>
`, chartWidth, y+8, chartStyle, body.String())
}

func drawPanel(out *strings.Builder, y int, title string, bars []bar) (bottom int) {
	top := y + panelHead
	bottom = top + barStep*len(bars)
	fmt.Fprintf(out, `  <text class="title" x="0" y="%d">%s</text>`+"\n", y+22, title)
	for i := range decades + 1 {
		x := labelWidth + decade*i
		fmt.Fprintf(out, `  <path class="grid" d="M%d %dV%d"/>`+"\n", x, top-6, bottom-2)
		fmt.Fprintf(out, `  <text class="note" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", x, top-11, thousands(firstRate*math.Pow10(i)))
	}

	for i, b := range bars {
		drawBar(out, top+barStep*i, b)
	}

	return bottom
}

// drawBar draws the median, a line from the slowest sample to the fastest, and the median as a
// number.
func drawBar(out *strings.Builder, y int, b bar) {
	end := place(b.typical)
	fmt.Fprintf(out, `  <text class="text" x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-8, y+13, b.who)
	fmt.Fprintf(out, `  <rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", class(b.who), labelWidth, y, end-labelWidth, barHeight)
	fmt.Fprintf(out, `  <path class="range" d="M%.1f %dH%.1f"/>`+"\n", place(b.slow), y+barHeight/2, place(b.fast))
	fmt.Fprintf(out, `  <text class="text" x="%.1f" y="%d">%s</text>`+"\n", place(b.fast)+7, y+13, number(b.typical))
}

// place is where a rate is on the scale.
func place(rate float64) float64 {
	return labelWidth + max(2, decade*math.Log10(rate/firstRate))
}

func class(who string) string {
	switch {
	case who == ours:
		return "ours"
	case who == oneByOne:
		return "alone"
	case strings.HasPrefix(who, rawAsynq):
		return "asynq"
	}
	return "other"
}
