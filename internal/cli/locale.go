package cli

import (
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/godags/godags/internal/term"
)

// drawn has a character of ASCII for each mark and line that we draw. It takes as many columns.
var drawn = strings.NewReplacer("✓", "+", "✗", "x", "↻", "~", "↷", ">", "⊘", "!", "·", "-", "…", "~", "→", ">", "×", "x", "µ", "u",
	"⠋", "|", "⠙", "/", "⠹", "-", "⠸", `\`, "⠼", "|", "⠴", "/", "⠦", "-", "⠧", `\`, "⠇", "|", "⠏", "/",
	"━", "=", "─", "-", "│", "|", "▼", "v", "╭", "+", "╮", "+", "╰", "+", "╯", "+", "├", "+", "┤", "+", "┬", "+", "┴", "+", "┼", "+")

// file is something that may be a terminal.
type file interface {
	io.Writer
	Fd() uintptr
}

// readable returns out, or if that is a terminal a [terminal], to which only what does no harm is
// written, and of ours only ASCII if the user says so.
func readable(out io.Writer, env func(string) string) io.Writer {
	if f, ok := out.(file); ok && term.IsTerminal(f) {
		return &terminal{File: f, ascii: wantsASCII(env)}
	}
	return out
}

// wantsASCII reports whether the locale is that of POSIX by name. Where there is none, terminals
// show more than ASCII nevertheless.
func wantsASCII(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := env(name); locale != "" {
			return locale == "C" || locale == "POSIX"
		}
	}
	return false
}

// terminal is the last line of defence for a terminal. Whatever is shown is made harmless where
// that is known to be text, in a form that fits there; what was forgotten is escaped here, so that
// a stage, or whoever writes to Redis, cannot command the terminal.
type terminal struct {
	File  file
	ascii bool // it shows no marks and lines but those of ASCII
	mu    sync.Mutex
	// not written yet; between two calls the beginning of a character, or of a command, at the most
	text []byte
}

// Fd makes it known as a terminal.
func (t *terminal) Fd() uintptr { return t.File.Fd() }

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.text = append(t.text, p...)
	whole, rest := safe(t.text)
	text := string(whole)
	if t.ascii {
		text = drawn.Replace(text)
	}

	_, err := io.WriteString(t.File, text)
	t.text = append(t.text[:0], rest...)
	if err != nil {
		return 0, err
	}

	return len(p), nil
}

// ours matches the beginning of a text that is a command which we send to terminals: colours, and
// the moves of the block that shows a run.
var ours = regexp.MustCompile(`^\x1b\[(?:[0-9;]*m|[0-9]*A|[KJ]|\?(?:25|7)[lh])`)

// begun matches a text that may become one.
var begun = regexp.MustCompile(`^\x1b(?:\[\??[0-9;]{0,8})?$`)

// safe returns text in which no command but ours is left. The rest is a beginning of a character or
// of a command, which is to be completed.
func safe(text []byte) (whole, rest []byte) {
	at := 0
	for at < len(text) {
		b := text[at]
		if b >= ' ' && b < 0x7f || b == '\n' || b == '\r' || b == '\t' {
			whole = append(whole, b)
			at++
			continue
		}

		if b == '\x1b' {
			if command := ours.Find(text[at:]); command != nil {
				whole = append(whole, command...)
				at += len(command)
				continue
			}
			if begun.Match(text[at:]) {
				return whole, text[at:]
			}
		}

		if !utf8.FullRune(text[at:]) {
			return whole, text[at:]
		}

		_, size := utf8.DecodeRune(text[at:])
		whole = append(whole, term.Clean(string(text[at:at+size]))...)
		at += size
	}

	return whole, nil
}
