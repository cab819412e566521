package progress

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/godags/godags/internal/term"
)

// clean makes a line of text harmless to a terminal.
func clean(s string) string { return term.Clean(s) }

// shorten returns a name of a stage in at most so many columns. Cells of a matrix differ in their
// values, so that the names of the values go first: total[region=north,product=tea] becomes
// total[north,tea].
func shorten(name string, most int) string {
	base, cell, isCell := strings.Cut(name, "[")
	if term.Width(name) <= most || !isCell || !strings.Contains(cell, "=") {
		return term.Shorten(name, most)
	}

	values := strings.Split(strings.TrimSuffix(cell, "]"), ",")
	for i, v := range values {
		if _, value, ok := strings.Cut(v, "="); ok {
			values[i] = value
		}
	}
	return term.Shorten(base+"["+strings.Join(values, ",")+"]", most)
}

// firstLine returns the first line of a text that is not empty.
func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(s, "\r\n"), "\n")
	return strings.TrimRight(line, " \r\t")
}

// commas formats 1234567 as 1,234,567.
func commas(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// joinRemarks joins two remarks with a dot. Either may be empty.
func joinRemarks(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " · " + b
}

// plural formats a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return commas(n) + " " + thing + "s"
}

// formatTook formats the duration of something that has finished. It takes at most six columns
// below 100 hours.
func formatTook(d time.Duration) string {
	switch s := d.Seconds(); {
	case d < time.Millisecond:
		return "<1ms"
	// The limits are where rounding would give a further digit, such as 1000ms or 10.00s.
	case s < 0.9995:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + "ms"
	case s < 9.995:
		return strconv.FormatFloat(s, 'f', 2, 64) + "s"
	case s < 59.95:
		return strconv.FormatFloat(s, 'f', 1, 64) + "s"
	}

	return formatRough(d)
}

// formatRunning formats the duration of something that is still running.
func formatRunning(d time.Duration) string {
	// Truncated and not rounded, as a clock shows it.
	if d < 10*time.Second {
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64) + "s"
	}
	return formatRough(d)
}

// formatRough formats a duration in seconds, minutes and seconds, or hours and minutes.
func formatRough(d time.Duration) string {
	switch s := int(d.Seconds()); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
}

// stopwatch formats a duration as hours, minutes, seconds and tenths, in ten columns.
func stopwatch(d time.Duration) string {
	t := int(d / (100 * time.Millisecond))
	return fmt.Sprintf("%02d:%02d:%02d.%d", t/36000, t/600%60, t/10%60, t%10)
}
