package picture

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/godags/godags/dag"
)

// Timeline is a Gantt chart of a run. Times are counted from the submission of the run.
type Timeline struct {
	Title   string // such as "nightly · run demo-1 · succeeded after 12s"
	Notes   []string
	Rows    []Row
	Length  time.Duration
	Full    bool // draw every stage, however many there are
	Width   int  // of the terminal, in columns; 0: about 80
	Colours bool // text has escape sequences for colours
}

// Row is a stage of a [Timeline] that waited or was executed.
type Row struct {
	Name     string
	State    dag.State
	Label    string // after the bar, such as "1.5s"
	Critical bool   // on the critical path
	Bars     []Bar  // by their start
	stages   int    // of a row that stands for several, else 0
}

// Bar is a part of a row: an attempt that ended with the state, or still runs; or, with the state
// Ready or Retrying, a wait.
type Bar struct {
	State    dag.State
	From, To time.Duration
	Title    string // all there is to say about it, for a tool tip
}

func (b Bar) wait() bool { return b.State == dag.Ready || b.State == dag.Retrying }

// The most rows that are drawn unless the timeline is full.
const (
	mostTextRows = 30
	mostSVGRows  = 60
)

// DrawTimeline writes a timeline as ASCII or SVG. The same timeline always gives the same bytes.
func DrawTimeline(w io.Writer, t Timeline, f Format) error {
	out := bufio.NewWriter(w)
	switch f {
	case ASCII:
		writeTimelineText(out, t)
	case SVG:
		writeTimelineSVG(out, t)
	default:
		return fmt.Errorf("a timeline is drawn as ascii or svg, not as %s", f)
	}

	if err := out.Flush(); err != nil {
		return fmt.Errorf("draw %s: %w", f, err)
	}
	return nil
}

// rows returns at most so many rows, and how many stages they leave out. First stages with one
// pattern of names become one row. If there are still too many rows, those that say most are kept.
func (t Timeline) rows(most int) (rows []Row, left int) {
	if t.Full || len(t.Rows) <= most {
		return t.Rows, 0
	}

	rows = foldRows(t.Rows)
	if len(rows) <= most {
		return rows, 0
	}

	// What failed comes first, then what the run waited for, then what took longest.
	byWeight := make([]int, len(rows))
	for i := range byWeight {
		byWeight[i] = i
	}
	slices.SortStableFunc(byWeight, func(a, b int) int { return rows[a].compareWeight(rows[b]) })

	kept := byWeight[:most]
	for _, i := range byWeight[most:] {
		left += max(1, rows[i].stages)
	}

	slices.Sort(kept) // back to the order of their starts
	shown := make([]Row, len(kept))
	for i, k := range kept {
		shown[i] = rows[k]
	}
	return shown, left
}

// compareWeight orders rows by how much they say about the run.
func (r Row) compareWeight(other Row) int {
	if r.State != other.State {
		if r.State == dag.Failed {
			return -1
		}
		if other.State == dag.Failed {
			return 1
		}
	}

	if r.Critical != other.Critical {
		if r.Critical {
			return -1
		}
		return 1
	}
	return cmp.Compare(other.span(), r.span())
}

// span is the time from the first start of a row to its last end.
func (r Row) span() time.Duration {
	var end time.Duration
	for _, b := range r.Bars {
		end = max(end, b.To)
	}
	return end - r.Bars[0].From
}

// foldRows makes one row of all stages whose names differ in an index only, at the place of the
// first of them.
func foldRows(all []Row) (rows []Row) {
	known := make(map[string]int)
	states := make(map[string]*counters)
	for _, r := range all {
		before, after := stem(r.Name)
		key := before + "*" + after
		i, ok := known[key]
		if !ok {
			known[key] = len(rows)
			states[key] = new(counters)
			states[key][r.State]++
			rows = append(rows, r)
			continue
		}

		// The second of its kind makes it a pattern.
		group := &rows[i]
		if group.stages == 0 {
			group.stages = 1
			group.Name = key
			group.Bars = slices.Clone(group.Bars)
		}
		group.stages++
		states[key][r.State]++
		group.Critical = group.Critical || r.Critical
		group.Bars = append(group.Bars, r.Bars...)
	}

	for i := range rows {
		if group := &rows[i]; group.stages > 0 {
			group.State, _ = states[group.Name].state()
			group.Label = commas(group.stages) + " stages"
			if parts := states[group.Name].parts(); len(parts) > 1 || group.State != dag.Succeeded {
				group.Label = wrap(parts, 1000)[0]
			}
		}
	}

	return rows
}

// load is how many of the bars of a row were executed at once, on average, in each of so many equal
// parts of the time; and in which parts a stage waited.
func (r Row) load(length time.Duration, parts int) (running []float64, waiting []bool) {
	running = make([]float64, parts)
	waiting = make([]bool, parts)
	scale := float64(parts) / float64(max(1, length))
	for _, b := range r.Bars {
		from, _ := columnsOf(b, length, parts)
		for i := from; i < parts && (i == from || float64(i) < float64(b.To)*scale); i++ {
			if b.wait() {
				waiting[i] = true
				continue
			}

			// Only the part of the column that the bar covers: many short stages are executed one
			// after another in one column. Some trace is left of the shortest.
			covered := min(float64(b.To)*scale, float64(i+1)) - max(float64(b.From)*scale, float64(i))
			running[i] += max(covered, 0.001)
		}
	}

	return running, waiting
}

// columnsOf returns the columns of a bar: at least one, so that each attempt is seen.
func columnsOf(b Bar, length time.Duration, columns int) (from, to int) {
	scale := float64(columns) / float64(max(1, length))
	from = min(int(float64(b.From)*scale+1e-9), columns-1)
	to = int(float64(b.To)*scale + 0.5)
	return max(0, from), min(max(to, from+1), columns)
}

// ticks returns round times, with at least so much time between them.
func ticks(length, least time.Duration) (times []time.Duration) {
	step := time.Hour * 24 * 365
	for _, s := range [...]time.Duration{
		1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
		900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 7 * 86_400_000, 30 * 86_400_000,
	} {
		if s*time.Millisecond >= least {
			step = s * time.Millisecond
			break
		}
	}

	for at := time.Duration(0); at <= length; at += step {
		times = append(times, at)
	}
	return times
}

// tickText writes a round time: 500ms, 2s, 1m30s, 2h.
func tickText(d time.Duration) string {
	text := d.String()
	// String writes "1h0m0s".
	if d >= time.Minute && d%time.Minute == 0 {
		text = text[:len(text)-len("0s")]
	}
	if d >= time.Hour && d%time.Hour == 0 {
		text = text[:len(text)-len("0m")]
	}
	return text
}
