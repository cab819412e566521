package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/term"
)

// Mode is a form of progress.
type Mode string

// The modes.
const (
	Auto  Mode = "auto"  // TTY if the writer is a terminal that can move its cursor, else Plain
	TTY   Mode = "tty"   // a block at the bottom of the terminal, redrawn ten times a second
	Plain Mode = "plain" // lines of text in columns
	JSON  Mode = "json"  // the journal, one JSON object per line; see [Encoder]
	Quiet Mode = "quiet" // nothing
)

// Modes lists all modes.
var Modes = []Mode{Auto, TTY, Plain, JSON, Quiet}

// ParseMode returns the mode with the given name. The error suggests the nearest one.
func ParseMode(name string) (Mode, error) { return parse("progress mode", name, Modes) }

func (m Mode) resolve(out io.Writer, env func(string) (string, bool)) Mode {
	if m != Auto && m != "" {
		return m
	}
	if dumb(env) || !term.IsTerminal(out) {
		return Plain
	}
	return TTY
}

// Color says whether colours are used.
type Color string

// The choices of colour.
const (
	ColorAuto   Color = "auto"
	ColorAlways Color = "always"
	ColorNever  Color = "never"
)

// Colors lists all choices of colour.
var Colors = []Color{ColorAuto, ColorAlways, ColorNever}

// ParseColor returns the choice with the given name. The error suggests the nearest one.
func ParseColor(name string) (Color, error) { return parse("color", name, Colors) }

// Enabled reports whether text for out is coloured. The first that is given decides: the choice,
// NO_COLOR, CLICOLOR_FORCE, TERM=dumb. Otherwise only a terminal gets colours.
func (c Color) Enabled(out io.Writer, env func(string) (string, bool)) bool {
	if c == ColorAlways || c == ColorNever {
		return c == ColorAlways
	}

	// Both variables are conventions that other programs follow: no-color.org and bixense.com.
	if v, _ := env("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := env("CLICOLOR_FORCE"); v != "" && v != "0" {
		return true
	}

	return !dumb(env) && term.IsTerminal(out)
}

func dumb(env func(string) (string, bool)) bool {
	v, _ := env("TERM")
	return v == "dumb"
}

func parse[T ~string](what, name string, all []T) (T, error) {
	if slices.Contains(all, T(name)) {
		return T(name), nil
	}

	words := make([]string, len(all))
	for i, v := range all {
		words[i] = string(v)
	}

	hint := ""
	if near := nearest.Name(name, words); near != "" {
		hint = fmt.Sprintf(", did you mean %q?", near)
	}
	return "", fmt.Errorf("unknown %s %q%s (there are %s)", what, name, hint, strings.Join(words, ", "))
}
