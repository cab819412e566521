package cli

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/progress"
)

// hues are the colours of words for a state, as escape sequences have them.
var hues = map[string]string{
	"succeeded": "32", "ok": "32", "running": "36", "failed": "1;31", "error": "1;31", "cancelled": "35", "cancelling": "35",
	"stalled": "33", "queued": "33", "silent": "33", "warning": "33", "skipped": "2",
}

// painter colours words for a state, if true.
type painter bool

// form is how a command prints its result.
type form struct {
	json  bool
	paint painter
}

// form reads --output and --color.
func (p Program) form(c *ucli.Context) (f form, err error) {
	if f.json, err = asJSON(c); err != nil {
		return f, err
	}
	choice, err := progress.ParseColor(c.String("color"))
	if err != nil {
		return f, &exitError{exitUsage, err}
	}
	f.paint = painter(choice.Enabled(p.Out, os.LookupEnv))
	return f, nil
}

func (p painter) state(word string) string {
	hue, ok := hues[word]
	if !bool(p) || !ok {
		return word
	}
	return "\x1b[" + hue + "m" + word + "\x1b[0m"
}

// table is text in columns, the first row being their names. The column STATE is coloured.
type table [][]string

var oneLine = strings.NewReplacer("\n", " ", "\t", " ")

// print writes the table with every line after an indent. Whatever a cell has is harmless to a terminal.
func (t table) print(out *bufio.Writer, paint painter, indent string) {
	widths, state := make([]int, len(t[0])), slices.Index(t[0], "STATE")
	for _, row := range t {
		for i := range row {
			row[i] = oneLine.Replace(printable(row[i]))
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range t {
		out.WriteString(indent)
		for i, text := range row {
			shown := text
			if i == state {
				shown = paint.state(text)
			}
			out.WriteString(shown)
			if i < len(row)-1 {
				out.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
			}
		}
		out.WriteByte('\n')
	}
}

// moment writes a time as it was on our clock, or how long ago it was if that is less than a day.
func moment(t, now time.Time) string {
	switch ago := max(0, now.Sub(t)); {
	case ago < time.Minute:
		return ago.Truncate(time.Second).String() + " ago"
	case ago < 24*time.Hour:
		return strings.TrimSuffix(ago.Truncate(time.Minute).String(), "0s") + " ago"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// count writes a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
